import type { EngineSpeakers } from "@scribe/domain";
import type { Database } from "../open-database.ts";
import type { Lease } from "./claim-job.ts";

/** Who speaks when, found while the transcription still went on. `fingerprint`: of all that it was found from. */
export interface SpeakersFound {
  fingerprint: string;
  found: EngineSpeakers;
}

/** Keeps the speakers for the next attempt; erased when the job is completed. False: refused, the lease was lost. */
export async function recordSpeakersFound(db: Database, lease: Lease, speakers: SpeakersFound): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE jobs SET diarization_checkpoint = $3, crashes = 0, updated_at = now()
     WHERE id = $1 AND lease_epoch = $2 AND status = 'processing'`,
    [lease.jobId, lease.epoch, JSON.stringify(speakers)],
  );
  return rowCount === 1;
}

/** What an earlier attempt found from the same; null where none has, or from something else. */
export async function findSpeakersFound(
  db: Database,
  { jobId }: Lease,
  fingerprint: string,
): Promise<EngineSpeakers | null> {
  const { rows } = await db.pool.query<{ found: EngineSpeakers }>(
    `SELECT diarization_checkpoint->'found' AS found FROM jobs
     WHERE id = $1 AND diarization_checkpoint->>'fingerprint' = $2`,
    [jobId, fingerprint],
  );
  return rows[0]?.found ?? null;
}
