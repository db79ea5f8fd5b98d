import { createHash } from "node:crypto";
import {
  type Engine,
  type EngineEvent,
  type EngineRequest,
  JobError,
  type PcmAudio,
  type ProviderAccess,
} from "@scribe/domain";
import { z } from "zod";
import { formOf } from "./answer.ts";
import { openaiAsker } from "./ask-openai.ts";
import { languageCode } from "./language-code.ts";
import { endOfChunk, isSilent } from "./plan-chunk.ts";
import { openSamples } from "./read-samples.ts";
import { writeSegments } from "./write-segments.ts";

export interface OpenaiEngineOptions {
  /** The way to the provider; reaches the access' address alone. */
  fetchFor: (access: ProviderAccess) => typeof fetch;
  /** A part of the samples as FLAC. */
  encode: (audio: PcmAudio, range: { from: number; to: number }, signal: AbortSignal) => Promise<Buffer>;
  timeoutMs: number;
  /** Further tries of one request within an attempt: after 429, 5xx and broken connections. */
  maxRetries?: number;
  /** Longest part of a recording, in seconds: where the answer has times, and where it has none. */
  chunkSeconds?: number;
  untimedChunkSeconds?: number;
  /** How far before that a cut is looked for. */
  searchSeconds?: number;
}

const RATE = 16_000;

/** 5 minutes of FLAC are below 10 MB, whatever they hold; OpenAI takes 25. Half a minute is what a part's times are known to. */
const DEFAULTS = { chunkSeconds: 300, untimedChunkSeconds: 30, searchSeconds: 30, maxRetries: 2 };

/** OpenAI refuses less than 0.1 s, and no word is shorter. */
const SHORTEST_SAMPLES = RATE / 10;

/** Whisper reads the last 224 tokens of its prompt. */
const PROMPT_CHARACTERS = 600;
const ENCODE_MS = 60_000;
const LONGEST_PAUSE_MS = 65_000;

const stateSchema = z.object({
  nextSample: z.int().min(0),
  tail: z.string(),
  language: z.string().nullable(),
  wordsMethod: z.string().nullable(),
});
type State = z.output<typeof stateSchema>;

/** Sends a recording to OpenAI, or to what speaks like it, part by part. */
export function createOpenaiEngine(options: OpenaiEngineOptions): Engine {
  const settings = { ...DEFAULTS, ...options };
  const { fetchFor, encode, timeoutMs, maxRetries } = settings;

  async function* transcribe(request: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const { audio, model, access } = request;
    if (!access) throw new JobError("provider_unauthorized", "There is no key for OpenAI.");
    const chunkSeconds = formOf(model) === "json" ? settings.untimedChunkSeconds : settings.chunkSeconds;
    const { from, to } = rangeOf(request);
    const fingerprint = fingerprintOf(request, access, chunkSeconds);
    const resumed = readState(request, fingerprint);
    if (request.resume && !resumed) yield { type: "restart" };
    let state: State = resumed ?? { nextSample: from, tail: "", language: null, wordsMethod: null };
    const ask = openaiAsker({ access, fetch: fetchFor(access), timeoutMs, maxRetries });
    const limits = {
      maxSamples: Math.round(chunkSeconds * RATE),
      searchSamples: Math.round(Math.min(settings.searchSeconds, chunkSeconds / 2) * RATE),
    };
    const deadlineMs = (timeoutMs + LONGEST_PAUSE_MS) * (maxRetries + 1);
    if (state.language !== null) yield { type: "language", language: state.language, probability: null };

    yield { type: "operation", operation: "read the samples", deadlineMs: ENCODE_MS };
    const samples = await openSamples(audio.path);
    try {
      while (state.nextSample < to) {
        signal.throwIfAborted();
        const start = state.nextSample;
        const end = await endOfChunk(samples, start, to, limits);
        const part = { start: start / RATE, end: end / RATE };
        state = { ...state, nextSample: end };
        const worthAsking = end - start >= SHORTEST_SAMPLES && !isSilent(await samples.read(start, end));
        let segments: ReturnType<typeof writeSegments>["segments"] = [];
        if (worthAsking) {
          yield { type: "operation", operation: "encode", deadlineMs: ENCODE_MS };
          const flac = await encode(audio, { from: start, to: end }, signal);
          yield { type: "operation", operation: "ask OpenAI", deadlineMs };
          const answer = await ask({ model, flac, options: request.options, prompt: promptOf(request, state) }, signal);
          const written = writeSegments(answer, part, request.options);
          segments = written.segments;
          const language = state.language ?? languageOf(request, answer.language);
          if (language !== null && state.language === null) yield { type: "language", language, probability: null };
          const tail = `${state.tail} ${answer.text}`.trim().slice(-PROMPT_CHARACTERS).toWellFormed();
          state = { ...state, language, tail, wordsMethod: written.wordsMethod ?? state.wordsMethod };
        }
        const processedSeconds = part.end;
        const checkpoint = { fingerprint, processedSeconds, state };
        yield { type: "window", segments, processedSeconds, totalSeconds: to / RATE, checkpoint };
      }
    } finally {
      await samples.close();
    }
    const { language, wordsMethod } = state;
    yield { type: "done", language, languageProbability: null, ...(wordsMethod === null ? {} : { wordsMethod }) };
  }

  return { name: "openai", loadedModels: () => [], transcribe, close: async () => {} };
}

/** The part that the job asks for, in samples. */
function rangeOf({ audio, options: { clip } }: EngineRequest): { from: number; to: number } {
  const at = (seconds: number) => Math.min(audio.samples, Math.round(seconds * RATE));
  return { from: at(clip?.start ?? 0), to: clip?.end === undefined ? audio.samples : at(clip.end) };
}

/** The caller's own words first, then the recording's: what is cut off by the model is the beginning. */
function promptOf({ options }: EngineRequest, { tail }: State): string | undefined {
  const { prompt, hotwords, condition_on_previous_text: goesOn = true } = options;
  const parts = [hotwords?.join(", "), prompt, goesOn ? tail : ""].filter((text) => text !== undefined && text !== "");
  return parts.length === 0 ? undefined : parts.join(" ");
}

function languageOf({ options }: EngineRequest, told: string | null | undefined): string | null {
  if (options.task === "translate") return options.language === "auto" ? null : (options.language ?? null);
  return languageCode(told) ?? (options.language === "auto" ? null : (options.language ?? null));
}

/** What shapes the text; whose key pays for it does not. */
function fingerprintOf({ model, options }: EngineRequest, { baseUrl }: ProviderAccess, chunkSeconds: number): string {
  const parts = JSON.stringify(["openai", 1, baseUrl, model, chunkSeconds, options]);
  return createHash("sha256").update(parts).digest("hex");
}

function readState({ resume }: EngineRequest, fingerprint: string): State | null {
  if (resume?.fingerprint !== fingerprint) return null;
  const state = stateSchema.safeParse(resume.state);
  return state.success ? state.data : null;
}
