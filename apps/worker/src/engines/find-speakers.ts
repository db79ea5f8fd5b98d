import type { Config } from "@scribe/config";
import { diarize } from "@scribe/speech";
import type { FindSpeakers } from "../steps/diarize.ts";

/** A core is left to the transcription beside it where there are so many. */
const THREADS = 2;

/** Fits the speech package's diarization, a process of its own for each recording, to the step that asks for speakers. */
export function createFindSpeakers({ speech }: Config, providers: readonly string[]): FindSpeakers {
  const models = {
    segmentationModel: speech.DIARIZATION_SEGMENTATION_MODEL,
    embeddingModel: speech.DIARIZATION_EMBEDDING_MODEL,
    speed: speech.DIARIZATION_SPEED,
  };
  const intraOpThreads = Math.min(THREADS, speech.INTRA_OP_THREADS || THREADS);
  return (question, options) =>
    diarize({ ...question, ...models, executionProviders: providers, intraOpThreads }, options);
}
