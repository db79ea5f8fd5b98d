import { completeFromCache } from "@scribe/database";
import { readStoredOptions } from "@scribe/domain";
import type { Attempt, WorkerParts } from "../attempt.ts";
import { asked, WorkStopped } from "../work-stopped.ts";

/** Reading all weights of a model that is new here, from a disk that is busy with others'. */
const READ_MODEL_MS = 300_000;

/** The key under which this job's result is found by equal ones, or null; `audioSha256` of its audio. */
export async function cacheKey({ job, log }: Attempt, { resultCache }: WorkerParts): Promise<string | null> {
  const { engine, model, metadata, audioSha256 } = job;
  const cacheable = { engine, model, metadata, options: readStoredOptions(job.options) };
  return await resultCache.keyOf(cacheable, audioSha256).catch((err: unknown) => {
    // Whoever transcribes with the model is told the same, in the words of the job.
    log.warn({ err }, "the model could not be read for the result cache");
    return null;
  });
}

/**
 * Ends the job with the result of an earlier one of the tenant, of the same audio, options and model. False where there is
 * none; a job that has begun to be transcribed goes on.
 */
export async function reuseResult(attempt: Attempt, parts: WorkerParts): Promise<boolean> {
  const { job, lease, keeper } = attempt;
  if (job.audioSha256 === null || job.checkpoint !== null || job.segmentCount > 0) return false;
  keeper.announce("look for an earlier result", READ_MODEL_MS);
  const key = await cacheKey(attempt, parts);
  if (key === null) return false;
  const outcome = await asked(completeFromCache(parts.db, lease, job.tenantId, key));
  if (outcome === "lost") throw new WorkStopped("lost");
  parts.metrics.cacheLookups.inc({ result: outcome === "completed" ? "hit" : "miss" });
  if (outcome === "missing") return false;
  parts.notifications.publishEvents(job.id);
  return true;
}
