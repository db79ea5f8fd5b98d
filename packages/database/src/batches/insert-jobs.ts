import type { PoolClient } from "pg";
import type { Database } from "../open-database.ts";
import { AT_ONCE } from "../outbox/at-once.ts";
import type { BatchItem } from "./create-batch.ts";

/** Jobs of one statement: a few megabytes at most, where each has all the metadata that it may. */
const AT_A_TIME = 500;

export interface JobsOfBatch {
  tenantId: string;
  batchId: string;
  apiKeyId: string | null;
  traceparent: string | null;
}

/** Inside a transaction: writes a batch's jobs, each with its first event, many in a statement. */
export async function insertJobs(
  db: Database,
  client: PoolClient,
  { tenantId, batchId, apiKeyId, traceparent }: JobsOfBatch,
  items: readonly (BatchItem & { id: string })[],
): Promise<void> {
  for (let from = 0; from < items.length; from += AT_A_TIME) {
    const given = items.slice(from, from + AT_A_TIME).map((item) => ({
      id: item.id,
      batch_line: item.line,
      engine: item.engine,
      model: item.model,
      language: item.options.language === "auto" ? null : (item.options.language ?? null),
      priority: item.priority,
      recording_id: item.recordingId ?? null,
      metadata: item.metadata,
      options: item.options,
      source: item.source,
      audio_seconds: item.audioSeconds,
      audio_key: item.audioKey ?? null,
      audio_sha256: item.audioSha256 ?? null,
      audio_bytes: item.audioBytes ?? null,
      account: item.providerAccount === undefined ? null : db.secrets.encrypt(JSON.stringify(item.providerAccount)),
    }));
    await client.query({
      name: "insert-batch-jobs",
      text: `WITH given AS (
          SELECT * FROM jsonb_to_recordset($5::jsonb) AS item(id uuid, batch_line int, engine text, model text, language text,
            priority smallint, recording_id text, metadata jsonb, options jsonb, source jsonb, audio_seconds double precision,
            audio_key text, audio_sha256 char(64), audio_bytes bigint, account text)
        ), events AS (
          INSERT INTO job_events (job_id, ordinal, type, data)
          SELECT id, 1, 'status', jsonb_build_object('job_id', id, 'status', 'pending') FROM given
        )
        INSERT INTO jobs (id, tenant_id, batch_id, api_key_id, traceparent, batch_line, engine, model, language, priority,
          recording_id, metadata, options, source, audio_seconds, audio_key, audio_sha256, audio_bytes, provider_account_encrypted, webhook_events,
          next_ordinal, next_run_at)
        SELECT id, $1::uuid, $2::uuid, $3::uuid, $4, batch_line, engine, model, language, priority, recording_id, metadata, options,
          source, audio_seconds, audio_key, audio_sha256, audio_bytes, account, '{}', 2, ${AT_ONCE} FROM given ORDER BY batch_line`,
      values: [tenantId, batchId, apiKeyId, traceparent, JSON.stringify(given)],
    });
  }
}
