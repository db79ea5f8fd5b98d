import type { Database } from "../open-database.ts";
import type { NewJob } from "./create-job.ts";
import { JOB_COLUMNS, type JobRow, toJobRow } from "./job-row.ts";

export type EqualJob = Pick<
  NewJob,
  "engine" | "model" | "options" | "metadata" | "recordingId" | "webhookUrl" | "audioSha256"
> & { url?: string };

/**
 * The oldest live job of the tenant that would give the same to the same caller: same audio (by hash, or by address),
 * engine, model, options and metadata, and nobody else told of its end. Null where there is none.
 */
export async function findEqualJob(db: Database, tenantId: string, job: EqualJob): Promise<JobRow | null> {
  if (job.webhookUrl !== undefined || (job.audioSha256 === undefined) === (job.url === undefined)) return null;
  const { rows } = await db.pool.query(
    `SELECT ${JOB_COLUMNS} FROM jobs
     WHERE tenant_id = $1 AND status IN ('pending', 'processing') AND webhook_url IS NULL
       AND engine = $2 AND model = $3 AND options = $4::jsonb AND metadata = $5::jsonb
       AND recording_id IS NOT DISTINCT FROM $6
       AND (audio_sha256 = $7 OR source ->> 'url' = $8)
     ORDER BY created_at LIMIT 1`,
    [
      ...[tenantId, job.engine, job.model, JSON.stringify(job.options), JSON.stringify(job.metadata)],
      ...[job.recordingId ?? null, job.audioSha256 ?? null, job.url ?? null],
    ],
  );
  return rows.length === 0 ? null : toJobRow(rows[0]);
}
