import type { JobStatus, WebhookEvent } from "@scribe/domain";
import { renderForeignWebhook, uuidV7 } from "@scribe/domain";
import type { PoolClient } from "pg";
import { insertDelivery } from "../deliveries/insert-delivery.ts";
import { webhookBody } from "../deliveries/webhook-body.ts";
import type { Database } from "../open-database.ts";
import type { JobRow } from "./job-row.ts";
import { readTranscript } from "./read-transcript.ts";

export interface JobEventRow {
  ordinal: number;
  type: "status" | "segment" | "done";
  data: Record<string, unknown>;
  createdAt: Date;
}

/** What the durable `status` and `done` events say. */
function statusEventData(job: Pick<JobRow, "id" | "status" | "error">): Record<string, unknown> {
  return { job_id: job.id, status: job.status, ...(job.error === null ? {} : { error: job.error }) };
}

const EVENT_OF_STATUS = {
  processing: "job.started",
  completed: "job.completed",
  failed: "job.failed",
  cancelled: "job.cancelled",
} as const satisfies Record<Exclude<JobStatus, "pending">, WebhookEvent>;

/**
 * Inside the transaction that changed a job's status: tells it to whoever watches and to the webhook. The caller's
 * statement took as many ordinals as there are events (one, and one more for `done`).
 *
 * @param firstOrdinal of the events
 */
export async function tellStatus(db: Database, client: PoolClient, job: JobRow, firstOrdinal: number): Promise<void> {
  const data = statusEventData(job);
  const terminal = job.status !== "processing";
  await client.query(
    `INSERT INTO job_events (job_id, ordinal, type, data)
     SELECT $1::uuid, $2::int + n, CASE n WHEN 0 THEN 'status' ELSE 'done' END, $3::jsonb FROM generate_series(0, $4::int) AS n`,
    [job.id, firstOrdinal, JSON.stringify(data), terminal ? 1 : 0],
  );
  if (job.status === "pending") return;
  const type = EVENT_OF_STATUS[job.status];
  if (job.webhookUrl === null || !job.webhookEvents.includes(type)) return;
  const sequence = job.webhookSequence + 1;
  const body = await bodyOf(db, client, job, type, sequence);
  if (body === null) return;
  await client.query("UPDATE jobs SET webhook_sequence = $2 WHERE id = $1", [job.id, sequence]);
  await insertDelivery(client, {
    id: uuidV7(),
    tenantId: job.tenantId,
    jobId: job.id,
    type,
    url: job.webhookUrl,
    body,
    secretEncrypted: job.webhookSecretEncrypted,
    headersEncrypted: job.webhookHeadersEncrypted,
    traceparent: job.traceparent,
  });
}

/** In our own form, or in that of the service whose front door took the job; null where that tells nothing of this. */
async function bodyOf(
  db: Database,
  client: PoolClient,
  job: JobRow,
  type: WebhookEvent,
  sequence: number,
): Promise<string | null> {
  const format = job.frontDoor?.webhook ?? "standard";
  if (format === "standard") return await webhookBody(db, client, job, type, sequence);
  const transcript = job.status === "completed" ? await readTranscript(client, job.id) : null;
  return renderForeignWebhook(format, job, transcript);
}
