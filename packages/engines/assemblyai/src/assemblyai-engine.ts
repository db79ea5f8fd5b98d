import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Engine,
  type EngineEvent,
  type EngineRequest,
  JobError,
  type PcmAudio,
  type ProviderAccess,
  providerFailure,
  sanitizeProviderMessage,
} from "@scribe/domain";
import { z } from "zod";
import { nameSpeakers } from "./name-speakers.ts";
import { openServices, type Services, uploadMs } from "./open-services.ts";
import { type GivenTranscript, transcriptSchema } from "./transcript.ts";
import { transcriptParams } from "./transcript-params.ts";
import { type Part, writeSegments } from "./write-segments.ts";

export interface AssemblyaiEngineOptions {
  /** The way to the provider; reaches the access' address alone. */
  fetchFor: (access: ProviderAccess) => typeof fetch;
  /** A part of the samples as a FLAC file. */
  encode: (audio: PcmAudio, range: { from: number; to: number }, outPath: string, signal: AbortSignal) => Promise<void>;
  timeoutMs: number;
  /** Between two looks at a transcript in the making. */
  pollMs?: number;
}

const RATE = 16_000;
const ENCODE_MS = 600_000;
const POLL_MS = 3000;

/** Looks in a row that may fail before the attempt does. */
const PATIENT_LOOKS = 3;

/** A day of words is written in pieces. */
const SEGMENTS_A_WINDOW = 200;

const stateSchema = z.object({ transcriptId: z.string().nullable(), segmentsDone: z.int().min(0) });
type State = z.output<typeof stateSchema>;

/** Hands a recording to AssemblyAI and waits for its transcript. */
export function createAssemblyaiEngine(options: AssemblyaiEngineOptions): Engine {
  const { fetchFor, encode, timeoutMs, pollMs = POLL_MS } = options;
  const deadlineMs = timeoutMs + 30_000;

  async function* transcribe(request: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const { audio, access } = request;
    if (!access) throw new JobError("provider_unauthorized", "There is no key for AssemblyAI.");
    const services = openServices({ access, fetch: fetchFor(access), timeoutMs, signal });
    const range = rangeOf(request);
    const fingerprint = fingerprintOf(request, access);
    const window = (state: State, processedSeconds: number): EngineEvent & { type: "window" } => ({
      type: "window",
      segments: [],
      processedSeconds,
      totalSeconds: range.to / RATE,
      checkpoint: { fingerprint, processedSeconds, state },
    });

    let state = readState(request, fingerprint);
    let given: GivenTranscript | null = null;
    if (state?.transcriptId) {
      yield { type: "operation", operation: "ask AssemblyAI", deadlineMs };
      given = await lookAgain(services, state.transcriptId);
    }
    if (given === null) {
      if (request.resume) yield { type: "restart" };
      yield { type: "operation", operation: "encode", deadlineMs: ENCODE_MS };
      const path = `${audio.path}.flac`;
      try {
        await encode(audio, range, path, signal);
        const { size } = await stat(path);
        yield { type: "operation", operation: "upload to AssemblyAI", deadlineMs: deadlineMs + uploadMs(size) };
        const address = await sendFile(services, path, size);
        yield { type: "operation", operation: "ask AssemblyAI", deadlineMs };
        given = read(await services.transcripts.submit(transcriptParams(request, address)));
      } finally {
        await rm(path, { force: true });
      }
      state = { transcriptId: given.id, segmentsDone: 0 };
      // From here on another attempt asks for this transcript, and pays for no second one.
      yield window(state, range.from / RATE);
    }

    for (let failures = 0; given.status === "queued" || given.status === "processing"; ) {
      yield { type: "operation", operation: "wait for AssemblyAI", deadlineMs: deadlineMs + pollMs };
      await pause(pollMs, signal);
      try {
        given = read(await services.transcripts.get(given.id));
        failures = 0;
      } catch (error) {
        failures += 1;
        if (!(error instanceof JobError && error.retryable) || failures >= PATIENT_LOOKS) throw error;
        await pause((error.retryAfterSeconds ?? 0) * 1000, signal);
      }
    }
    if (given.status === "error") {
      yield window({ transcriptId: null, segmentsDone: 0 }, range.from / RATE);
      throw failed(given, access);
    }
    const part = { start: range.from / RATE, end: range.to / RATE };
    yield* write(given, state as State, part, request, window);
  }

  return { name: "assemblyai", loadedModels: () => [], transcribe, close: async () => {} };
}

function* write(
  given: GivenTranscript,
  { segmentsDone }: State,
  part: Part,
  { options }: EngineRequest,
  window: (state: State, processedSeconds: number) => EngineEvent & { type: "window" },
): Generator<EngineEvent> {
  const language = given.language_code?.split(/[_-]/)[0]?.toLowerCase() ?? null;
  const languageProbability = given.language_confidence ?? null;
  if (language !== null) yield { type: "language", language, probability: languageProbability };
  const wantsWords = options.word_timestamps ?? true;
  const segments = writeSegments(given, part, wantsWords);
  for (let done = segmentsDone; done < segments.length; ) {
    const piece = segments.slice(done, done + SEGMENTS_A_WINDOW);
    done += piece.length;
    const event = window({ transcriptId: given.id, segmentsDone: done }, piece.at(-1)!.end);
    yield { ...event, segments: piece };
  }
  yield {
    type: "done",
    language,
    languageProbability,
    ...(wantsWords && segments.length > 0 ? { wordsMethod: "provider" } : {}),
    ...(options.diarize ? { speakers: nameSpeakers(given, part) } : {}),
  };
}

/** The transcript of an earlier attempt; null where AssemblyAI knows it no more, or not under this key. */
async function lookAgain({ transcripts }: Services, id: string): Promise<GivenTranscript | null> {
  try {
    return read(await transcripts.get(id));
  } catch (error) {
    if (error instanceof JobError && error.code === "provider_error" && !error.retryable) return null;
    throw error;
  }
}

async function sendFile({ upload }: Services, path: string, size: number): Promise<string> {
  const file = createReadStream(path);
  // A request that fails leaves it unread.
  file.on("error", () => {});
  try {
    const address = await upload(file, size);
    if (typeof address === "string" && URL.canParse(address)) return address;
    throw providerFailure({ provider: "AssemblyAI", status: null, secrets: [] });
  } finally {
    file.destroy();
  }
}

function read(answer: unknown): GivenTranscript {
  const parsed = transcriptSchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw providerFailure({ provider: "AssemblyAI", status: null, secrets: [], cause: parsed.error });
}

/** Its own trouble may pass; what it says of the audio does not. */
function failed({ error }: GivenTranscript, { apiKey }: ProviderAccess): JobError {
  const words = sanitizeProviderMessage(error ?? "", [apiKey]);
  const retryable = words === "" || /internal|server error|try again|timed? ?out/i.test(words);
  return new JobError("provider_error", `AssemblyAI could not transcribe this${words ? `: ${words}` : "."}`, {
    retryable,
  });
}

function rangeOf({ audio, options: { clip } }: EngineRequest): { from: number; to: number } {
  const at = (seconds: number) => Math.min(audio.samples, Math.round(seconds * RATE));
  return { from: at(clip?.start ?? 0), to: clip?.end === undefined ? audio.samples : at(clip.end) };
}

function fingerprintOf({ model, options }: EngineRequest, { baseUrl }: ProviderAccess): string {
  return createHash("sha256")
    .update(JSON.stringify(["assemblyai", 1, baseUrl, model, options]))
    .digest("hex");
}

function readState({ resume }: EngineRequest, fingerprint: string): State | null {
  if (resume?.fingerprint !== fingerprint) return null;
  const state = stateSchema.safeParse(resume.state);
  return state.success ? state.data : null;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw signal.reason;
  }
}
