import { uuidV7 } from "@scribe/domain";
import type { PoolClient } from "pg";
import { checkAllowance, isLimited, type NewJob } from "../jobs/create-job.ts";
import { type Idempotency, once } from "../jobs/once.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { BATCH_COLUMNS, type BatchRow, type RefusedLine } from "./batch-row.ts";
import { insertJobs } from "./insert-jobs.ts";

type OfJob = "engine" | "model" | "options" | "priority" | "source" | "recordingId" | "metadata" | "providerAccount";
type OfAudio = "audioSeconds" | "audioKey" | "audioSha256" | "audioBytes";

/** A job of a batch. The batch alone has a webhook and a trace. */
export interface BatchItem extends Pick<NewJob, OfJob | OfAudio> {
  /** Of the manifest, from 1. */
  line: number;
}

type OfBatch = "apiKeyId" | "metadata" | "webhookUrl" | "webhookSecret" | "traceparent" | "allowance";

export interface NewBatch extends Pick<NewJob, OfBatch> {
  items: readonly BatchItem[];
  refused: readonly RefusedLine[];
}

/**
 * Commits a batch with all its jobs, their first events and the record of its answer, or nothing of it. A batch with
 * more audio than its tenant has room for is refused whole.
 *
 * @throws IdempotencyRace, IdempotencyBusy, AllowanceExceeded
 */
export async function createBatch(
  db: Database,
  tenantId: string,
  batch: NewBatch,
  idempotency?: Idempotency<BatchRow>,
): Promise<BatchRow> {
  const insert = (client: PoolClient) => insertBatch(db, client, tenantId, batch);
  return idempotency ? await once(db, tenantId, idempotency, insert) : await inTransaction(db, insert);
}

async function insertBatch(db: Database, client: PoolClient, tenantId: string, batch: NewBatch): Promise<BatchRow> {
  const { apiKeyId, allowance, items, refused } = batch;
  const audioSeconds = items.reduce((sum, item) => sum + item.audioSeconds, 0);
  if (isLimited(batch)) await checkAllowance(client, tenantId, { allowance, audioSeconds });
  const traceparent = batch.traceparent ?? null;
  const batchId = uuidV7();
  const { rows } = await client.query<BatchRow>(
    `INSERT INTO batches (id, tenant_id, api_key_id, total, refused, metadata, webhook_url, webhook_secret_encrypted, traceparent)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${BATCH_COLUMNS}`,
    [
      ...[batchId, tenantId, apiKeyId, items.length, JSON.stringify(refused), JSON.stringify(batch.metadata)],
      batch.webhookUrl ?? null,
      batch.webhookSecret === undefined ? null : db.secrets.encrypt(batch.webhookSecret),
      traceparent,
    ],
  );
  // Ids rise in the order of the lines: of one moment, the smaller id runs first.
  const named = items.map((item) => ({ ...item, id: uuidV7() }));
  await insertJobs(db, client, { tenantId, batchId, apiKeyId, traceparent }, named);
  return rows[0] as BatchRow;
}
