import { readStoredOptions } from "@scribe/domain";
import type { PoolClient } from "pg";
import type { JobRow } from "../jobs/job-row.ts";
import { insertEnhancement } from "./insert-enhancement.ts";

/**
 * Inside the transaction that completes a job: what its `enhance` asks for begins, so that it is neither lost nor begun
 * for a job that did not complete. Its events go where the job's go unless it names an address of its own.
 */
export async function enhanceCompleted(client: PoolClient, job: JobRow): Promise<void> {
  const { enhance } = readStoredOptions(job.options);
  if (enhance === undefined) return;
  const { tasks, webhook_url: webhookUrl, ...options } = enhance;
  await insertEnhancement(client, job.tenantId, {
    apiKeyId: job.apiKeyId,
    tasks,
    options,
    metadata: job.metadata,
    jobId: job.id,
    text: null,
    webhookUrl: webhookUrl ?? job.webhookUrl,
    webhookSecretEncrypted: job.webhookSecretEncrypted,
    traceparent: job.traceparent,
  });
}
