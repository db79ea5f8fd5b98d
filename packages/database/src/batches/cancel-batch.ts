import { type Database, inTransaction } from "../open-database.ts";
import { BATCH_COLUMNS, type BatchRow } from "./batch-row.ts";
import { countEnded } from "./count-ended.ts";

/**
 * Ends every job of a batch that has not ended, in one transaction: status, epoch, events, usage, the batch's own end and
 * its delivery. Null where the batch had ended, or is not the tenant's.
 *
 * @returns the batch, and the jobs that a worker had in hand
 */
export async function cancelBatch(
  db: Database,
  tenantId: string,
  batchId: string,
): Promise<{ batch: BatchRow; running: string[] } | null> {
  return await inTransaction(db, async (client) => {
    // Jobs first, in one order, then usage, then the batch: whoever ends a single job locks them in this order, too.
    const { rows: live } = await client.query<{ id: string; running: boolean }>(
      `SELECT id, lease_until IS NOT NULL AS running FROM jobs
       WHERE batch_id = $1 AND tenant_id = $2 AND status IN ('pending', 'processing') ORDER BY id FOR UPDATE`,
      [batchId, tenantId],
    );
    if (live.length === 0) return null;
    await client.query(
      `WITH ended AS (
         UPDATE jobs SET status = 'cancelled', completed_at = now(), updated_at = now(), lease_epoch = lease_epoch + 1,
           lease_until = NULL, dispatched_at = NULL, provider_account_encrypted = NULL, next_ordinal = next_ordinal + 2
         WHERE id = ANY($1::uuid[])
         RETURNING id, tenant_id, model, coalesce(duration, 0) * progress / 100 AS seconds, next_ordinal - 2 AS first
       ), told AS (
         INSERT INTO job_events (job_id, ordinal, type, data)
         SELECT id, first + n, CASE n WHEN 0 THEN 'status' ELSE 'done' END,
           jsonb_build_object('job_id', id, 'status', 'cancelled')
         FROM ended, generate_series(0, 1) AS n
       )
       INSERT INTO usage (tenant_id, day, model, cancelled, audio_seconds)
       SELECT tenant_id, (now() AT TIME ZONE 'UTC')::date, model, count(*), sum(seconds) FROM ended
       GROUP BY tenant_id, model ORDER BY model
       ON CONFLICT (tenant_id, day, model) DO UPDATE SET cancelled = usage.cancelled + excluded.cancelled,
         audio_seconds = usage.audio_seconds + excluded.audio_seconds`,
      [live.map(({ id }) => id)],
    );
    await client.query("UPDATE batches SET cancelled_at = now() WHERE id = $1", [batchId]);
    await countEnded(db, client, batchId, { cancelled: live.length });
    const { rows } = await client.query<BatchRow>(`SELECT ${BATCH_COLUMNS} FROM batches WHERE id = $1`, [batchId]);
    return { batch: rows[0] as BatchRow, running: live.filter(({ running }) => running).map(({ id }) => id) };
  });
}
