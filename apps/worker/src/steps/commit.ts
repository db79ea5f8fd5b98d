import { completeJob } from "@scribe/database";
import { joinSegmentTexts, PHASE_PROGRESS, roundSeconds } from "@scribe/domain";
import { type Attempt, showProgress, type WorkerParts } from "../attempt.ts";
import { held } from "../work-stopped.ts";
import type { SpeakerResult } from "./diarize.ts";
import { cacheKey } from "./reuse-result.ts";
import type { Transcription } from "./transcribe.ts";

/** One transaction is all the time that a commit has; a day of words takes seconds. */
const COMMIT_LIMIT_MS = 90_000;

/** Ends the job as completed: transcript, status, events and webhook delivery in one transaction, or nothing of it. */
export async function commit(
  transcription: Transcription,
  { segments, speakers, diarization, warnings }: SpeakerResult,
  audio: { durationSeconds: number; warnings: string[] },
  attempt: Attempt,
  parts: WorkerParts,
): Promise<void> {
  const { job, lease, keeper } = attempt;
  keeper.announce("commit", COMMIT_LIMIT_MS);
  showProgress(parts, job.id, "finalizing", PHASE_PROGRESS.diarizing);
  const { texts, originals, keepsOriginals, language, languageProbability, wordsMethod } = transcription;
  const original = keepsOriginals && originals.some((text, i) => text !== texts[i]);
  const key = await cacheKey(attempt, parts);
  await held(
    completeJob(parts.db, lease, {
      text: joinSegmentTexts(segments ?? texts.map((text) => ({ text }))),
      language,
      languageProbability,
      duration: roundSeconds(audio.durationSeconds),
      ...(wordsMethod === undefined ? {} : { wordsMethod }),
      ...(segments === undefined ? {} : { changedSegments: segments, segmentCount: segments.length }),
      ...(original ? { originalText: joinSegmentTexts(originals.map((text) => ({ text }))) } : {}),
      speakers,
      diarization,
      warnings: [...audio.warnings, ...transcription.warnings, ...warnings],
      // What went wrong with this one may go well with the next.
      ...(key !== null && transcription.warnings.length + warnings.length === 0 ? { cacheKey: key } : {}),
    }),
  );
  parts.notifications.publishEvents(job.id);
}
