import { createHash } from "node:crypto";
import {
  type Engine,
  type EngineEvent,
  type EngineRequest,
  type EngineSegment,
  JobError,
  type JobErrorCode,
  type TranscriptionOptions,
} from "@scribe/domain";
import {
  type ChildExit,
  DECODER_VERSION,
  SpeechError,
  type SpeechErrorCode,
  type SpeechEvent,
  type SpeechOptions,
  type SpeechRuntime,
  type SpeechSegment,
  speechCheckpointSchema,
} from "@scribe/speech";
import type { ModelFinder } from "./model-finder.ts";

export interface OnnxEngineOptions {
  runtime: SpeechRuntime;
  models: Pick<ModelFinder, "find"> & Partial<Pick<ModelFinder, "close">>;
}

/** Some gigabytes over a slow line. */
const FETCH_MODEL_MS = 4 * 3_600_000;

/** Some gigabytes from a disk that is busy with others'. */
const READ_MODEL_MS = 300_000;

/** Fits the speech runtime, which knows nothing of jobs, to the engine port. */
export function createOnnxEngine({ runtime, models }: OnnxEngineOptions): Engine {
  const running = new Set<string>();
  const held = new Map<string, number>();
  const hashes = new Map<string, Promise<string>>();
  let loaded = new Set<string>();

  const onExit = ({ requests }: ChildExit) => {
    loaded = new Set();
    for (const id of requests) if (running.has(id)) held.set(id, requests.length);
  };
  runtime.on("child-exit", onExit);

  /** Hashing reads all weights: once a folder and process. */
  function hashOf(folder: string): Promise<string> {
    const known = hashes.get(folder);
    if (known) return known;
    const hash = runtime.modelInfo(folder).then((info) => info.hash);
    hashes.set(folder, hash);
    hash.catch(() => hashes.delete(folder));
    return hash;
  }

  async function* transcribe(request: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const { jobId, audio } = request;
    running.add(jobId);
    try {
      const found = models.find(request.model);
      if (typeof found !== "string")
        yield { type: "operation", operation: "fetch the model", deadlineMs: FETCH_MODEL_MS };
      const folder = await unlessAborted(Promise.resolve(found), signal);
      yield { type: "operation", operation: "read the model", deadlineMs: READ_MODEL_MS };
      const hash = await unlessAborted(hashOf(folder), signal);
      const options = toSpeechOptions(request.options, audio.durationSeconds);
      const fingerprint = (computation: string | undefined) => fingerprintOf(hash, computation, options);
      const resume = readCheckpoint(request, fingerprint);
      if (request.resume && !resume) yield { type: "restart" };
      const { tenant, priority } = request;
      const standing = dropUndefined({ tenant, priority });
      const asked = { id: jobId, model: folder, pcmPath: audio.path, options, ...standing, ...(resume && { resume }) };
      for await (const event of runtime.transcribe(asked, signal)) {
        if (event.type === "model") loaded.add(request.model);
        else yield toEngineEvent(event, fingerprint, request.options);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw explain(error, held.get(jobId) ?? running.size);
    } finally {
      running.delete(jobId);
      held.delete(jobId);
    }
  }

  return {
    name: "onnx",
    loadedModels: () => [...loaded],
    async identityOf(model) {
      const found = models.find(model);
      if (typeof found !== "string") {
        // Whoever transcribes with it waits for the fetch, and hears of its failure.
        found.catch(() => {});
        return null;
      }
      return createHash("sha256")
        .update(JSON.stringify([DECODER_VERSION, await hashOf(found)]))
        .digest("hex");
    },
    transcribe,
    async close() {
      runtime.off("child-exit", onExit);
      models.close?.();
      await runtime.close();
    },
  };
}

/** The options that shape the text, with the contract's defaults; whatever the engine does not know is not its matter. */
function toSpeechOptions(options: TranscriptionOptions, durationSeconds: number): SpeechOptions {
  const { language, task, temperature, prompt, condition_on_previous_text, suppress_tokens, clip } = options;
  const { no_speech_threshold, logprob_threshold, compression_ratio_threshold } = options;
  const { mode, vad, multilingual, hotwords, prefix, beam_size, best_of, patience, length_penalty, guards } = options;
  return dropUndefined({
    mode: mode === "packed" || mode === "sequential" ? mode : undefined,
    vad,
    language: language === "auto" ? undefined : language,
    multilingual,
    task,
    temperature,
    prompt,
    hotwords,
    prefix,
    ...{ beam_size, best_of, patience, length_penalty },
    guards: guards && dropUndefined(guards),
    word_timestamps: options.word_timestamps ?? true,
    condition_on_previous_text,
    suppress_tokens,
    no_speech_threshold,
    logprob_threshold,
    compression_ratio_threshold: compression_ratio_threshold === 0 ? null : compression_ratio_threshold,
    clip: clip && { start: clip.start ?? 0, end: clip.end ?? Math.max(durationSeconds, (clip.start ?? 0) + 0.001) },
  });
}

function dropUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never;
}

/** All that decides a text: another one means starting again. */
type Fingerprint = (computation: string | undefined) => string;

function fingerprintOf(modelHash: string, computation: string | undefined, options: SpeechOptions): string {
  const parts = JSON.stringify(["onnx", DECODER_VERSION, modelHash, computation, options]);
  return createHash("sha256").update(parts).digest("hex");
}

/** How the model is computed now is known once it is loaded: the runtime itself leaves a checkpoint of another way aside. */
function readCheckpoint({ resume }: EngineRequest, fingerprint: Fingerprint) {
  const state = speechCheckpointSchema.safeParse(resume?.state);
  return state.success && resume?.fingerprint === fingerprint(state.data.computation) ? state.data : null;
}

function toEngineEvent(
  event: Exclude<SpeechEvent, { type: "model" }>,
  fingerprint: Fingerprint,
  options: TranscriptionOptions,
): EngineEvent {
  switch (event.type) {
    case "operation":
    case "restart":
    case "language":
      return event;
    case "window": {
      const { processedSeconds, totalSeconds, checkpoint } = event;
      return {
        type: "window",
        segments: event.segments.map((segment) => toEngineSegment(segment, options)),
        processedSeconds,
        totalSeconds,
        checkpoint: { fingerprint: fingerprint(checkpoint.computation), processedSeconds, state: checkpoint },
      };
    }
    case "done": {
      const { language, languageProbability, wordsMethod } = event;
      return { type: "done", language, languageProbability, ...(wordsMethod && { wordsMethod }) };
    }
    default:
      return event satisfies never;
  }
}

function toEngineSegment({ tokens, ...segment }: SpeechSegment, options: TranscriptionOptions): EngineSegment {
  if (!options.extra_data) return segment;
  const { avg_logprob, no_speech_prob, compression_ratio, temperature } = segment;
  return { ...segment, extra_data: { tokens, avg_logprob, no_speech_prob, compression_ratio, temperature } };
}

/** What a caller may read; the engine's own words, which name files, stay in the log as the cause. */
const EXPLANATIONS: Partial<Record<SpeechErrorCode, { code: JobErrorCode; message: string; retryable?: boolean }>> = {
  model_unavailable: { code: "model_unavailable", message: "The model could not be loaded." },
  invalid_model: { code: "invalid_model", message: "The model's files are not what this engine can run." },
  out_of_memory: { code: "out_of_memory", message: "There was not enough memory for the model and this audio." },
  timeout: { code: "timeout", message: "A step of the transcription took longer than it may." },
};

function explain(error: unknown, jobsHeld: number): unknown {
  if (!(error instanceof SpeechError)) return error;
  const { code, message } = error;
  if (code === "worker_crashed") {
    const died = new JobError("worker_crashed", "The transcription process died.", { retryable: true, cause: error });
    return Object.assign(died, { childDeath: true, jobsHeld });
  }
  // These two name what the caller asked for, and nothing else.
  if (code === "language_unsupported") return new JobError("language_unsupported", message, { cause: error });
  if (code === "invalid_option") return new JobError("internal", message, { retryable: false, cause: error });
  const known = EXPLANATIONS[code] ?? { code: "internal", message: "The transcription failed on our side." };
  return new JobError(known.code, known.message, { cause: error });
}

/** What is waited for goes on for others; this one stops waiting. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
