import { type EnhancementOptions, type EnhancementTask, uuidV7 } from "@scribe/domain";
import type { PoolClient } from "pg";
import { AT_ONCE } from "../outbox/at-once.ts";
import { ENHANCEMENT_COLUMNS, type EnhancementRow } from "./enhancement-row.ts";

export interface NewEnhancement {
  apiKeyId: string | null;
  tasks: readonly EnhancementTask[];
  options: EnhancementOptions;
  metadata: Record<string, unknown>;
  /** Exactly one of both: a completed job of the tenant's, which the caller's transaction has locked, or a text. */
  jobId: string | null;
  text: string | null;
  webhookUrl: string | null;
  webhookSecretEncrypted: string | null;
  traceparent: string | null;
}

/** Inside a transaction: the row that a worker will find. Of a job it is the next version. */
export async function insertEnhancement(
  client: PoolClient,
  tenantId: string,
  given: NewEnhancement,
): Promise<EnhancementRow> {
  const { rows } = await client.query<EnhancementRow>(
    `INSERT INTO enhancements (id, tenant_id, api_key_id, job_id, text, tasks, options, metadata, webhook_url,
       webhook_secret_encrypted, traceparent, next_run_at, version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, ${AT_ONCE},
       coalesce((SELECT max(version) FROM enhancements WHERE job_id = $4), 0) + 1)
     RETURNING ${ENHANCEMENT_COLUMNS}`,
    [
      ...[uuidV7(), tenantId, given.apiKeyId, given.jobId, given.text, [...given.tasks]],
      ...[JSON.stringify(given.options), JSON.stringify(given.metadata), given.webhookUrl],
      ...[given.webhookSecretEncrypted, given.traceparent],
    ],
  );
  return rows[0] as EnhancementRow;
}
