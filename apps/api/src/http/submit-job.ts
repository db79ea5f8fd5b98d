import { type Idempotency, type JobRow, type NewJob, tenantJobs } from "@scribe/database";
import type { Api } from "../api.ts";
import { pokeFor } from "./accepted-view.ts";
import { audioSecondsOfUpload } from "./audio-seconds.ts";
import type { Caller } from "./middleware/authenticate.ts";
import type { PreparedJob } from "./prepare-job.ts";
import type { ReceivedAudio } from "./receive-audio.ts";

/** A commit whose answer got lost may have happened: then its audio stays, for retention to find. */
const UNKNOWN = "unknown";

/**
 * Commits a job, whichever door it came by; one whose result is known already is completed then.
 *
 * @throws AllowanceExceeded, IdempotencyRace, IdempotencyBusy
 */
export async function submitJob(
  api: Api,
  { tenantId }: Caller,
  job: NewJob,
  idempotency?: Idempotency,
): Promise<JobRow> {
  const cacheKeys = await api.findCacheKeys(job);
  const created = await tenantJobs(api.db, tenantId).create({ ...job, cacheKeys }, idempotency);
  api.metrics.jobsAccepted.inc({ source: created.source.kind });
  pokeFor(api, created);
  return created;
}

/** Runs what may make a job of audio that was sent along. Audio that no job took is removed. */
export async function submitAudio<T>(
  api: Api,
  caller: Caller,
  { id, key, bytes, sha256 }: ReceivedAudio,
  work: (submit: (job: PreparedJob, idempotency?: Idempotency) => Promise<JobRow>) => Promise<T>,
): Promise<T> {
  let taken = false;
  try {
    return await work(async (job, idempotency) => {
      const source = { kind: "upload" as const, uploadId: id };
      const audio = {
        audioKey: key,
        audioBytes: bytes,
        audioSha256: sha256,
        audioSeconds: audioSecondsOfUpload(bytes),
      };
      const created = await submitJob(api, caller, { ...job, id, source, ...audio }, idempotency);
      taken = true;
      api.metrics.uploadedBytes.inc(bytes);
      return created;
    });
  } finally {
    if (!taken) await removeUntaken(api, caller, { id, key });
  }
}

async function removeUntaken(
  { db, storage, log }: Api,
  { tenantId }: Caller,
  { id, key }: Pick<ReceivedAudio, "id" | "key">,
): Promise<void> {
  const job = await tenantJobs(db, tenantId)
    .get(id)
    .catch(() => UNKNOWN);
  // Retention finds what stays; what the caller is told of is the request.
  if (job === null) await storage.remove(key).catch((error) => log.warn({ err: error, key }, "audio was not removed"));
}
