import { uuidV7 } from "@scribe/domain";
import type { PoolClient } from "pg";
import { insertDelivery } from "../deliveries/insert-delivery.ts";
import type { Database } from "../open-database.ts";
import { BATCH_COLUMNS, type BatchRow } from "./batch-row.ts";

/** How many jobs of a batch end in a transaction, each way. */
export interface EndedJobs {
  completed?: number;
  failed?: number;
  cancelled?: number;
}

/**
 * Inside the transaction that ends jobs of a batch, last of all: counts them. Whoever counts the last one ends the batch,
 * and with it goes the delivery that tells of it: there is no moment in which a crash could lose the one or the other.
 */
export async function countEnded(
  db: Database,
  client: PoolClient,
  batchId: string,
  { completed = 0, failed = 0, cancelled = 0 }: EndedJobs,
): Promise<void> {
  const { rows } = await client.query<BatchRow>({
    name: "count-ended",
    text: `UPDATE batches SET completed = completed + $2::int, failed = failed + $3::int, cancelled = cancelled + $4::int,
             updated_at = now(), ended_at = CASE WHEN completed + failed + cancelled + $2::int + $3::int + $4::int >= total THEN now() END
           WHERE id = $1 RETURNING ${BATCH_COLUMNS}`,
    values: [batchId, completed, failed, cancelled],
  });
  const batch = rows[0];
  if (batch && batch.endedAt !== null) await tellEnd(db, client, batch);
}

async function tellEnd(db: Database, client: PoolClient, batch: BatchRow): Promise<void> {
  if (batch.webhookUrl === null) return;
  const status = batch.cancelledAt === null ? "completed" : "cancelled";
  const type = `batch.${status}`;
  const id = uuidV7();
  const body = JSON.stringify({
    type,
    timestamp: batch.updatedAt.toISOString(),
    data: {
      batch_id: batch.id,
      status,
      total: batch.total,
      refused: batch.refused.length,
      counts: { completed: batch.completed, failed: batch.failed, cancelled: batch.cancelled },
      metadata: batch.metadata,
      results_url: `${db.publicUrl}/api/v1/batches/${batch.id}/results`,
    },
  });
  const { tenantId, webhookUrl: url, webhookSecretEncrypted: secretEncrypted, traceparent } = batch;
  await insertDelivery(client, { id, tenantId, jobId: null, type, url, body, secretEncrypted, traceparent });
  await client.query("UPDATE webhook_deliveries SET batch_id = $2 WHERE id = $1", [id, batch.id]);
}
