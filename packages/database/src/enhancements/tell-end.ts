import { type EnhancementEvent, uuidV7, WEBHOOK_BODY_LIMIT_BYTES } from "@scribe/domain";
import type { PoolClient } from "pg";
import { insertDelivery } from "../deliveries/insert-delivery.ts";
import type { Database } from "../open-database.ts";
import type { EnhancementRow } from "./enhancement-row.ts";

/** Inside the transaction that ended it: the webhook's delivery, whose body is the same over all tries. */
export async function tellEnd(
  db: Database,
  client: PoolClient,
  row: EnhancementRow,
  type: EnhancementEvent,
): Promise<void> {
  if (row.webhookUrl === null) return;
  await insertDelivery(client, {
    id: uuidV7(),
    tenantId: row.tenantId,
    jobId: null,
    enhancementId: row.id,
    type,
    url: row.webhookUrl,
    body: bodyOf(db, row, type),
    secretEncrypted: row.webhookSecretEncrypted,
    traceparent: row.traceparent,
  });
}

function bodyOf(db: Database, row: EnhancementRow, type: EnhancementEvent): string {
  const data: Record<string, unknown> = {
    job_id: row.id,
    transcription_job_id: row.jobId,
    version: row.version,
    status: row.status,
    progress: row.progress,
    metadata: row.metadata,
  };
  const render = () => JSON.stringify({ type, timestamp: row.updatedAt.toISOString(), data });
  if (row.error !== null) data.error = row.error;
  if (row.status !== "completed") return render();
  data.result = { model: row.model, outputs: row.outputs };
  const body = render();
  if (Buffer.byteLength(body) <= WEBHOOK_BODY_LIMIT_BYTES) return body;
  delete data.result;
  data.result_url = `${db.publicUrl}/api/v1/enhanced-ai/${row.id}`;
  return render();
}
