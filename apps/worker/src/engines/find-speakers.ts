import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Config } from "@scribe/config";
import { diarize, fetchModel, openHub, parseModelId } from "@scribe/speech";
import type { Logger } from "@scribe/telemetry";
import type { FindSpeakers } from "../steps/diarize.ts";

/** A core is left to the transcription beside it where there are so many. */
const THREADS = 2;
/** Who waits for a network that is being fetched says so this often. */
const STILL_WAITING_MS = 10_000;

/**
 * Fits the speech package's diarization, a process of its own for each recording, to the step that asks for speakers. Its
 * networks are folders, or models of the hub that are fetched when they are first asked for, until `closing`.
 */
export function createFindSpeakers(
  { speech, data }: Config,
  providers: readonly string[],
  { log, closing }: { log: Logger; closing: AbortSignal },
): FindSpeakers {
  const { DIARIZATION_SEGMENTATION_MODEL: segmentation, DIARIZATION_EMBEDDING_MODEL: embedding } = speech;
  const intraOpThreads = Math.min(THREADS, speech.INTRA_OP_THREADS || THREADS);
  const underWay = new Map<string, Promise<string>>();

  /** Every job that asks waits for the same fetch; a failure is of the moment, and the next one tries again. */
  function folderOf(name: string): string | Promise<string> {
    const id = existsSync(name) ? null : parseModelId(name);
    if (id === null) return name;
    const before = underWay.get(name);
    if (before) return before;
    log.info({ model: name }, "fetching a model that tells speakers apart, unless it is here");
    const hub = openHub(speech, resolve(data.SCRIBE_DATA_DIR));
    const fetching = fetchModel(id, { hub, files: { weights: "network" }, signal: closing });
    underWay.set(name, fetching);
    fetching.catch(() => underWay.delete(name));
    return fetching;
  }

  return async (question, options) => {
    options.signal.throwIfAborted();
    const waiting = setInterval(() => options.onProgress(0), STILL_WAITING_MS);
    try {
      const folders = Promise.all([segmentation, embedding].map((name) => name && folderOf(name)));
      const [segmentationModel, embeddingModel] = await unlessAborted(folders, options.signal);
      clearInterval(waiting);
      const models = { segmentationModel, embeddingModel, speed: speech.DIARIZATION_SPEED };
      return await diarize({ ...question, ...models, executionProviders: providers, intraOpThreads }, options);
    } finally {
      clearInterval(waiting);
    }
  };
}

/** What is waited for goes on for others; this one stops waiting. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const stop = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
