import { type FrontDoor, type ProviderAccount, type TranscriptionOptions, uuidV7 } from "@scribe/domain";
import type { Pool, PoolClient } from "pg";
import { completeAtOnce } from "../lifecycle/complete-from-cache.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { AT_ONCE } from "../outbox/at-once.ts";
import { readUsageNow } from "../tenants/usage.ts";
import { JOB_COLUMNS, type JobRow, type JobSource, toJobRow } from "./job-row.ts";
import { type Idempotency, once } from "./once.ts";

export interface NewJob {
  id?: string | undefined;
  apiKeyId: string | null;
  engine: string;
  model: string;
  options: TranscriptionOptions;
  /** 1 high, 2 normal, 3 low. */
  priority: number;
  source: JobSource;
  /** An estimate; decoding replaces it. */
  audioSeconds: number;
  audioKey?: string | undefined;
  audioSha256?: string | undefined;
  audioBytes?: number | undefined;
  recordingId?: string | undefined;
  metadata: Record<string, unknown>;
  webhookUrl?: string | undefined;
  webhookEvents: readonly string[];
  /** Plain; encrypted before it is stored. */
  webhookSecret?: string | undefined;
  /** The request's own account with the engine's provider; encrypted before it is stored, erased when the job ends. */
  providerAccount?: ProviderAccount | undefined;
  /** What the front door that took it must know again; absent: our own. */
  frontDoor?: FrontDoor | undefined;
  /** Headers of its deliveries beside our own; encrypted before they are stored. */
  webhookHeaders?: Readonly<Record<string, string>> | undefined;
  eraseAt?: Date | undefined;
  traceparent?: string | undefined;
  retryOf?: string | undefined;
  /** What the tenant may have in all; absent: as much as it likes. */
  allowance?: Allowance | undefined;
  /** Under which an earlier result of the tenant may end the job at once. */
  cacheKeys?: readonly string[] | undefined;
  /** Runs in the same transaction, after the row is there. */
  resume?: ((client: PoolClient, id: string) => Promise<void>) | undefined;
}

export interface Allowance {
  /** Of all jobs that have not ended. */
  queuedAudioSeconds?: number | undefined;
  /** Of what was done today (UTC) and what has not ended. */
  dailyAudioSeconds?: number | undefined;
}

/** The tenant has as much as it may; ending jobs or a new day gives room. */
export class AllowanceExceeded extends Error {
  override readonly name = "AllowanceExceeded";
  readonly which: "queued" | "daily";
  readonly limitSeconds: number;

  constructor(which: "queued" | "daily", limitSeconds: number) {
    super(`The tenant's ${which} audio is limited to ${limitSeconds} seconds`);
    this.which = which;
    this.limitSeconds = limitSeconds;
  }
}

/**
 * Commits a job with its first event and, where the request had an Idempotency-Key, the record of its answer.
 *
 * @throws IdempotencyRace, IdempotencyBusy, AllowanceExceeded
 */
export async function createJob(
  db: Database,
  tenantId: string,
  job: NewJob,
  idempotency?: Idempotency,
): Promise<JobRow> {
  if (!idempotency) {
    if (!isLimited(job) && job.resume === undefined && !job.cacheKeys?.length)
      return await insertJob(db, db.pool, tenantId, job);
    return await inTransaction(db, async (client) => {
      if (isLimited(job)) await checkAllowance(client, tenantId, job);
      return await insertAndResume(db, client, tenantId, job);
    });
  }
  return await once(db, tenantId, idempotency, async (client) => {
    if (isLimited(job)) await checkAllowance(client, tenantId, job);
    return await insertAndResume(db, client, tenantId, job);
  });
}

export function isLimited({ allowance }: Pick<NewJob, "allowance">): boolean {
  return allowance?.queuedAudioSeconds !== undefined || allowance?.dailyAudioSeconds !== undefined;
}

/** First part of the lock's name; the tenant is the second. */
const ALLOWANCE_LOCK = 7_204_513;

/** Until the transaction ends no other job of the tenant is accepted, so that two cannot both take what is left. */
export async function checkAllowance(
  client: PoolClient,
  tenantId: string,
  job: Pick<NewJob, "allowance" | "audioSeconds">,
): Promise<void> {
  await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [ALLOWANCE_LOCK, tenantId]);
  const { liveSeconds, usedTodaySeconds } = await readUsageNow(client, tenantId);
  const { queuedAudioSeconds: queued, dailyAudioSeconds: daily } = job.allowance ?? {};
  const live = liveSeconds + job.audioSeconds;
  if (queued !== undefined && live > queued) throw new AllowanceExceeded("queued", queued);
  if (daily !== undefined && usedTodaySeconds + live > daily) throw new AllowanceExceeded("daily", daily);
}

async function insertAndResume(db: Database, client: PoolClient, tenantId: string, job: NewJob): Promise<JobRow> {
  const row = await insertJob(db, client, tenantId, job);
  await job.resume?.(client, row.id);
  if (!job.cacheKeys?.length) return row;
  return (await completeAtOnce(db, client, row, job.cacheKeys)) ?? row;
}

async function insertJob(db: Database, client: Pool | PoolClient, tenantId: string, job: NewJob): Promise<JobRow> {
  const id = job.id ?? uuidV7();
  const { rows } = await client.query({
    name: "insert-job",
    text: `WITH event AS (
         INSERT INTO job_events (job_id, ordinal, type, data) VALUES ($1, 1, 'status', $23)
       )
       INSERT INTO jobs (id, tenant_id, api_key_id, engine, model, language, priority, recording_id, metadata, options,
         source, retry_of, traceparent, webhook_url, webhook_events, webhook_secret_encrypted, audio_seconds,
         audio_key, audio_sha256, audio_bytes, next_ordinal, status, phase, provider_account_encrypted, front_door,
         webhook_headers_encrypted, erase_at, next_run_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, 2, $21, $22, $24, $25, $26, $27, ${AT_ONCE})
       RETURNING ${JOB_COLUMNS}`,
    values: [
      id,
      tenantId,
      job.apiKeyId,
      job.engine,
      job.model,
      job.options.language === "auto" ? null : (job.options.language ?? null),
      job.priority,
      job.recordingId ?? null,
      JSON.stringify(job.metadata),
      JSON.stringify(job.options),
      JSON.stringify(job.source),
      job.retryOf ?? null,
      job.traceparent ?? null,
      job.webhookUrl ?? null,
      [...job.webhookEvents],
      job.webhookSecret === undefined ? null : db.secrets.encrypt(job.webhookSecret),
      job.audioSeconds,
      job.audioKey ?? null,
      job.audioSha256 ?? null,
      job.audioBytes ?? null,
      "pending",
      "queued",
      JSON.stringify({ job_id: id, status: "pending" }),
      job.providerAccount === undefined ? null : db.secrets.encrypt(JSON.stringify(job.providerAccount)),
      job.frontDoor === undefined ? null : JSON.stringify(job.frontDoor),
      job.webhookHeaders === undefined ? null : db.secrets.encrypt(JSON.stringify(job.webhookHeaders)),
      job.eraseAt ?? null,
    ],
  });
  return toJobRow(rows[0]);
}
