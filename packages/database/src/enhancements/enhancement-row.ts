import type { EnhancementErrorView, EnhancementOptions, EnhancementTask, JobStatus } from "@scribe/domain";

export interface EnhancementRow {
  id: string;
  tenantId: string;
  /** The transcript's job; null where the text came with the request. */
  jobId: string | null;
  /** From 1 within a job. */
  version: number;
  status: JobStatus;
  progress: number;
  tasks: EnhancementTask[];
  options: EnhancementOptions;
  metadata: Record<string, unknown>;
  model: string | null;
  webhookUrl: string | null;
  webhookSecretEncrypted: string | null;
  traceparent: string | null;
  createdAt: Date;
  updatedAt: Date;
  startedAt: Date | null;
  completedAt: Date | null;
  leaseEpoch: number;
  attempts: number;
  failures: number;
  crashes: number;
  promptTokens: number;
  completionTokens: number;
  outputs: Record<string, unknown> | null;
  warnings: string[];
  error: EnhancementErrorView | null;
}

const COLUMNS = {
  id: "id",
  tenantId: "tenant_id",
  jobId: "job_id",
  version: "version",
  status: "status",
  progress: "progress",
  tasks: "tasks",
  options: "options",
  metadata: "metadata",
  model: "model",
  webhookUrl: "webhook_url",
  webhookSecretEncrypted: "webhook_secret_encrypted",
  traceparent: "traceparent",
  createdAt: "created_at",
  updatedAt: "updated_at",
  startedAt: "started_at",
  completedAt: "completed_at",
  leaseEpoch: "lease_epoch",
  attempts: "attempts",
  failures: "failures",
  crashes: "crashes",
  promptTokens: "prompt_tokens",
  completionTokens: "completion_tokens",
  outputs: "outputs",
  warnings: "warnings",
  error: "error",
} as const satisfies Record<keyof EnhancementRow, string>;

/** The select list of an `EnhancementRow`; `enhancements` must be named so in the statement. Not the text: it may be long. */
export const ENHANCEMENT_COLUMNS = Object.entries(COLUMNS)
  .map(([name, column]) => `enhancements.${column} AS "${name}"`)
  .join(", ");
