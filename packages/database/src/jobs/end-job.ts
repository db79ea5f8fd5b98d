import type { JobErrorView, TerminalStatus } from "@scribe/domain";
import type { PoolClient } from "pg";
import { countEnded } from "../batches/count-ended.ts";
import type { Database } from "../open-database.ts";
import { recordUsage } from "../tenants/usage.ts";
import { JOB_COLUMNS, type JobRow, toJobRow } from "./job-row.ts";
import { tellStatus } from "./write-events.ts";

/**
 * Ends a live job inside a transaction, with its events and its delivery. The epoch rises, so whoever works on it can
 * write no more. `where` says under which condition (`tenant_id`, `lease_epoch`); no row: the job had ended, or was not
 * the caller's.
 */
export async function endJob(
  db: Database,
  client: PoolClient,
  jobId: string,
  status: Exclude<TerminalStatus, "completed">,
  error: JobErrorView | null,
  where: { sql: string; value: unknown },
  attempts = 0,
): Promise<JobRow | null> {
  const { rows } = await client.query(
    `UPDATE jobs SET status = $2, error = $3, completed_at = now(), updated_at = now(),
       lease_epoch = lease_epoch + 1, lease_until = NULL, dispatched_at = NULL, provider_account_encrypted = NULL, attempts = attempts + $5,
       next_ordinal = next_ordinal + 2
     WHERE id = $1 AND status IN ('pending', 'processing') AND ${where.sql} = $4
     RETURNING ${JOB_COLUMNS}`,
    [jobId, status, error === null ? null : JSON.stringify(error), where.value, attempts],
  );
  if (rows.length === 0) return null;
  const job = toJobRow(rows[0]);
  await tellStatus(db, client, job, job.nextOrdinal - 2);
  await recordUsage(client, job);
  if (job.batchId !== null) await countEnded(db, client, job.batchId, { [status]: 1 });
  return job;
}
