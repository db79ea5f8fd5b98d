import type { PoolClient } from "pg";
import { forgetEndpoints } from "../deliveries/endpoints.ts";
import { type Database, inTransaction } from "../open-database.ts";

/** Of one transaction. */
const PAGE = 500;

/**
 * Erases an ended batch with its jobs and everything in the database that came of them, page by page: one that is cut
 * off is gone on with by the next call. `live` where it has not ended; null where it is not the tenant's.
 *
 * @param removeAudio is given the objects that nothing names any more, once that is committed
 */
export async function eraseBatch(
  db: Database,
  tenantId: string,
  batchId: string,
  removeAudio: (keys: string[]) => Promise<void>,
): Promise<"erased" | "live" | null> {
  const { rows } = await db.pool.query<{ ended: boolean }>(
    "SELECT ended_at IS NOT NULL AS ended FROM batches WHERE id = $1 AND tenant_id = $2",
    [batchId, tenantId],
  );
  if (!rows[0]) return null;
  if (!rows[0].ended) return "live";
  for (;;) {
    const { count, audioKeys } = await inTransaction(db, (client) => erasePage(client, tenantId, batchId));
    await removeAudio(audioKeys);
    if (count < PAGE) break;
  }
  await inTransaction(db, (client) => eraseBatchRow(client, tenantId, batchId));
  return "erased";
}

async function erasePage(client: PoolClient, tenantId: string, batchId: string) {
  const { rows: page } = await client.query<{ id: string; audioKey: string | null }>(
    `SELECT id, audio_key AS "audioKey" FROM jobs WHERE batch_id = $1 AND tenant_id = $2 ORDER BY id LIMIT $3 FOR UPDATE`,
    [batchId, tenantId, PAGE],
  );
  const ids = page.map(({ id }) => id);
  const keys = page.flatMap(({ audioKey }) => audioKey ?? []);
  await client.query("DELETE FROM jobs WHERE id = ANY($1::uuid[])", [ids]);
  // An upload, or a retry's audio, may serve other jobs still.
  const { rows: unused } = await client.query<{ key: string }>(
    `SELECT DISTINCT key FROM unnest($1::text[]) AS given(key) WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE audio_key = key)`,
    [keys],
  );
  const audioKeys = unused.map(({ key }) => key);
  await client.query("DELETE FROM uploads WHERE tenant_id = $1 AND storage_key = ANY($2::text[])", [
    tenantId,
    audioKeys,
  ]);
  return { count: page.length, audioKeys };
}

/** Last of all, with its deliveries and the answer that is kept of it. */
export async function eraseBatchRow(client: PoolClient, tenantId: string, batchId: string): Promise<void> {
  const { rows: endpoints } = await client.query<{ id: string }>(
    "SELECT DISTINCT endpoint_id AS id FROM webhook_deliveries WHERE batch_id = $1",
    [batchId],
  );
  await client.query("DELETE FROM batches WHERE id = $1", [batchId]);
  await forgetEndpoints(
    client,
    endpoints.map(({ id }) => id),
  );
  await client.query("DELETE FROM idempotency_records WHERE tenant_id = $1 AND response->>'batch_id' = $2", [
    tenantId,
    batchId,
  ]);
}
