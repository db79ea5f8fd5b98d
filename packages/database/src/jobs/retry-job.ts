import type { TranscriptionOptions } from "@scribe/domain";
import type { PoolClient } from "pg";
import type { Database } from "../open-database.ts";
import { createJob, type NewJob } from "./create-job.ts";
import { JOB_COLUMNS, type JobRow, toJobRow } from "./job-row.ts";
import type { Idempotency } from "./once.ts";

/** Why a job is not tried again. */
export class NotRetryable extends Error {
  override readonly name = "NotRetryable";
  readonly reason: "not_ended" | "audio_gone";

  constructor(reason: NotRetryable["reason"]) {
    super(`not retryable: ${reason}`);
    this.reason = reason;
  }
}

export interface RetryOptions {
  apiKeyId: string;
  traceparent?: string | undefined;
  allowance?: NewJob["allowance"];
  /** The old job's was erased when it ended. */
  providerAccount?: NewJob["providerAccount"];
  /** Whether the object is still stored. */
  isStored: (audioKey: string) => Promise<boolean>;
}

/**
 * A new job with the source and the options of one that failed or was cancelled. It has the old one's segments and
 * checkpoint, and goes on from there where the engine finds that it still holds. Null where the job is not the tenant's.
 *
 * @throws NotRetryable where the job has not failed, or its upload is gone; IdempotencyRace, IdempotencyBusy
 */
export async function retryJob(
  db: Database,
  tenantId: string,
  jobId: string,
  { apiKeyId, traceparent, allowance, providerAccount, isStored }: RetryOptions,
  idempotency?: Idempotency,
): Promise<JobRow | null> {
  const { rows } = await db.pool.query(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = $1 AND tenant_id = $2`, [
    jobId,
    tenantId,
  ]);
  if (rows.length === 0) return null;
  const old = toJobRow(rows[0]);
  if (old.status !== "failed" && old.status !== "cancelled") throw new NotRetryable("not_ended");
  // What a URL gave may be fetched again; an upload is here or nowhere.
  const stored = old.audioKey !== null && (await isStored(old.audioKey));
  if (!stored && old.source.kind === "upload") throw new NotRetryable("audio_gone");
  return await createJob(
    db,
    tenantId,
    {
      apiKeyId,
      engine: old.engine,
      model: old.model,
      options: old.options as TranscriptionOptions,
      priority: old.priority,
      source: old.source,
      audioSeconds: old.audioSeconds,
      ...(stored && {
        audioKey: old.audioKey ?? undefined,
        audioSha256: old.audioSha256 ?? undefined,
        audioBytes: old.audioBytes ?? undefined,
      }),
      recordingId: old.recordingId ?? undefined,
      metadata: old.metadata,
      webhookUrl: old.webhookUrl ?? undefined,
      webhookEvents: old.webhookEvents,
      webhookSecret: old.webhookSecretEncrypted === null ? undefined : db.secrets.decrypt(old.webhookSecretEncrypted),
      frontDoor: old.frontDoor ?? undefined,
      webhookHeaders:
        old.webhookHeadersEncrypted === null ? undefined : JSON.parse(db.secrets.decrypt(old.webhookHeadersEncrypted)),
      eraseAt: old.eraseAt ?? undefined,
      traceparent,
      allowance,
      providerAccount,
      retryOf: jobId,
      resume: stored ? (client, id) => takeOver(client, { from: jobId, to: id }) : undefined,
    },
    idempotency,
  );
}

/** In the transaction that makes the new job: the old one's checkpoint, its segments, and the events that tell of them. */
async function takeOver(client: PoolClient, { from, to }: { from: string; to: string }): Promise<void> {
  // Whoever releases the audio locks the row first: either it is gone by now, or it sees that a live job needs it.
  const { rows } = await client.query<{ stored: boolean }>(
    "SELECT audio_key IS NOT NULL AS stored FROM jobs WHERE id = $1 FOR UPDATE",
    [from],
  );
  if (rows[0]?.stored !== true) throw new NotRetryable("audio_gone");
  await client.query(
    `UPDATE jobs SET diarization_checkpoint = old.diarization_checkpoint FROM jobs AS old WHERE old.id = $1 AND jobs.id = $2`,
    [from, to],
  );
  await client.query(
    `WITH old AS (
       SELECT checkpoint FROM jobs WHERE id = $1 AND checkpoint IS NOT NULL
     ), copied AS (
       INSERT INTO segments (job_id, index, start, "end", text, data)
       SELECT $2, index, start, "end", text, data FROM segments, old WHERE job_id = $1
     ), told AS (
       INSERT INTO job_events (job_id, ordinal, type, data)
       SELECT $2, 1 + row_number() OVER (ORDER BY index), 'segment',
         jsonb_build_object('id', index, 'start', start, 'end', "end", 'text', text) || data
       FROM segments, old WHERE job_id = $1
     )
     UPDATE jobs SET checkpoint = old.checkpoint,
       next_ordinal = next_ordinal + (SELECT count(*)::int FROM segments WHERE job_id = $1)
     FROM old WHERE jobs.id = $2`,
    [from, to],
  );
}
