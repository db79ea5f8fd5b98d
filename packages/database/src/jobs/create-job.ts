import { type TranscriptionOptions, uuidV7 } from "@scribe/domain";
import type { Pool, PoolClient } from "pg";
import { type Database, inTransaction } from "../open-database.ts";
import { AT_ONCE } from "../outbox/at-once.ts";
import { readUsageNow } from "../tenants/usage.ts";
import { JOB_COLUMNS, type JobRow, type JobSource, toJobRow } from "./job-row.ts";

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
  traceparent?: string | undefined;
  retryOf?: string | undefined;
  /** What the tenant may have in all; absent: as much as it likes. */
  allowance?: Allowance | undefined;
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

export interface KeptAnswer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
}

export interface Idempotency {
  route: string;
  key: string;
  /** SHA-256 of the parsed input, hex. */
  fingerprint: string;
  /** How long an equal request that is under way is waited for; ten seconds. */
  waitMs?: number | undefined;
  respond(job: JobRow): { status: number; body: unknown; headers?: Record<string, string> };
}

/** Another request with this key got there first: read what it left, and answer that. */
export class IdempotencyRace extends Error {
  override readonly name = "IdempotencyRace";
}

/** Another request with this key has been under way for too long to wait. */
export class IdempotencyBusy extends Error {
  override readonly name = "IdempotencyBusy";
}

const WAIT_MS = 10_000;
const LOCK_NOT_AVAILABLE = "55P03";

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
    if (!isLimited(job) && job.resume === undefined) return await insertJob(db, db.pool, tenantId, job);
    return await inTransaction(db, async (client) => {
      if (isLimited(job)) await checkAllowance(client, tenantId, job);
      return await insertAndResume(db, client, tenantId, job);
    });
  }
  return await inTransaction(db, async (client) => {
    await client.query("SELECT set_config('lock_timeout', $1, true)", [String(idempotency.waitMs ?? WAIT_MS)]);
    // First of all: an equal request that is under way makes this one wait here, and nowhere later.
    const { rowCount } = await client
      .query(
        `INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, response, expires_at)
         VALUES ($1, $2, $3, $4, 0, '{}', now() + interval '24 hours')
         ON CONFLICT (tenant_id, route, key) DO UPDATE
           SET fingerprint = excluded.fingerprint, created_at = now(), expires_at = excluded.expires_at
           WHERE idempotency_records.expires_at < now()`,
        [tenantId, idempotency.route, idempotency.key, idempotency.fingerprint],
      )
      .catch((error: Error & { code?: string }) => {
        throw error.code === LOCK_NOT_AVAILABLE ? new IdempotencyBusy() : error;
      });
    if (rowCount === 0) throw new IdempotencyRace();
    if (isLimited(job)) await checkAllowance(client, tenantId, job);
    const row = await insertAndResume(db, client, tenantId, job);
    const answer = idempotency.respond(row);
    await client.query(
      `UPDATE idempotency_records SET status = $4, response = $5, headers = $6
       WHERE tenant_id = $1 AND route = $2 AND key = $3`,
      [
        tenantId,
        idempotency.route,
        idempotency.key,
        answer.status,
        JSON.stringify(answer.body),
        JSON.stringify(answer.headers ?? {}),
      ],
    );
    return row;
  });
}

function isLimited({ allowance }: NewJob): boolean {
  return allowance?.queuedAudioSeconds !== undefined || allowance?.dailyAudioSeconds !== undefined;
}

/** First part of the lock's name; the tenant is the second. */
const ALLOWANCE_LOCK = 7_204_513;

/** Until the transaction ends no other job of the tenant is accepted, so that two cannot both take what is left. */
async function checkAllowance(client: PoolClient, tenantId: string, job: NewJob): Promise<void> {
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
  return row;
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
         audio_key, audio_sha256, audio_bytes, next_ordinal, status, phase, next_run_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, 2, $21, $22, ${AT_ONCE})
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
    ],
  });
  return toJobRow(rows[0]);
}

/** What an earlier request with this key was answered, or null. */
export async function readKeptAnswer(
  db: Database,
  tenantId: string,
  route: string,
  key: string,
): Promise<(KeptAnswer & { fingerprint: string }) | null> {
  const { rows } = await db.pool.query<{
    fingerprint: string;
    status: number;
    response: unknown;
    headers: Record<string, string>;
  }>(
    `SELECT fingerprint, status, response, headers FROM idempotency_records
     WHERE tenant_id = $1 AND route = $2 AND key = $3 AND expires_at >= now()`,
    [tenantId, route, key],
  );
  const row = rows[0];
  return row ? { fingerprint: row.fingerprint, status: row.status, body: row.response, headers: row.headers } : null;
}
