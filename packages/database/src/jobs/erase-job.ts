import type { JobStatus } from "@scribe/domain";
import type { PoolClient } from "pg";
import { forgetEndpoints } from "../deliveries/endpoints.ts";

export interface Erased {
  tenantId: string;
  /** Objects that nothing names any more: the caller removes them once this is committed. */
  audioKeys: string[];
}

/**
 * Inside a transaction: erases a finished job with everything in the database that came of it. `live` where it has not
 * ended; null where there is none. `tenantId` null: whosever it is.
 */
export async function eraseJob(
  client: PoolClient,
  jobId: string,
  tenantId: string | null,
): Promise<Erased | "live" | null> {
  const { rows } = await client.query<{ tenantId: string; status: JobStatus; audioKey: string | null }>(
    `SELECT tenant_id AS "tenantId", status, audio_key AS "audioKey" FROM jobs
     WHERE id = $1 AND ($2::uuid IS NULL OR tenant_id = $2) FOR UPDATE`,
    [jobId, tenantId],
  );
  const job = rows[0];
  if (!job) return null;
  if (job.status === "pending" || job.status === "processing") return "live";
  const { rows: endpoints } = await client.query<{ id: string }>(
    `SELECT DISTINCT endpoint_id AS id FROM webhook_deliveries
     WHERE job_id = $1 OR enhancement_id IN (SELECT id FROM enhancements WHERE job_id = $1)`,
    [jobId],
  );
  await client.query(
    `DELETE FROM idempotency_records WHERE tenant_id = $1 AND (response->>'job_id' = $2
       OR response->>'job_id' IN (SELECT id::text FROM enhancements WHERE job_id = $2::uuid))`,
    [job.tenantId, jobId],
  );
  await client.query("DELETE FROM jobs WHERE id = $1", [jobId]);
  await forgetEndpoints(
    client,
    endpoints.map(({ id }) => id),
  );
  // An upload, or a retry's audio, may serve other jobs still.
  const { rowCount: others } = await client.query("SELECT 1 FROM jobs WHERE audio_key = $1 LIMIT 1", [job.audioKey]);
  if (job.audioKey === null || others === 1) return { tenantId: job.tenantId, audioKeys: [] };
  await client.query("DELETE FROM uploads WHERE tenant_id = $1 AND storage_key = $2", [job.tenantId, job.audioKey]);
  return { tenantId: job.tenantId, audioKeys: [job.audioKey] };
}
