import type { FrontDoor, JobErrorView, JobPhase, JobStatus } from "@scribe/domain";

export type JobSource = { kind: "url"; url: string } | { kind: "upload"; uploadId: string };

export interface JobRow {
  id: string;
  tenantId: string;
  apiKeyId: string | null;
  status: JobStatus;
  phase: JobPhase;
  progress: number;
  engine: string;
  model: string;
  language: string | null;
  priority: number;
  recordingId: string | null;
  metadata: Record<string, unknown>;
  options: unknown;
  source: JobSource;
  retryOf: string | null;
  batchId: string | null;
  batchLine: number | null;
  traceparent: string | null;
  webhookUrl: string | null;
  webhookEvents: string[];
  webhookSecretEncrypted: string | null;
  webhookSequence: number;
  providerAccountEncrypted: string | null;
  createdAt: Date;
  updatedAt: Date;
  startedAt: Date | null;
  completedAt: Date | null;
  attempts: number;
  crashes: number;
  childDeaths: number;
  runAlone: boolean;
  leaseEpoch: number;
  audioSeconds: number;
  duration: number | null;
  audioKey: string | null;
  audioSha256: string | null;
  audioBytes: number | null;
  checkpoint: unknown;
  nextOrdinal: number;
  warnings: string[];
  error: JobErrorView | null;
  frontDoor: FrontDoor | null;
  webhookHeadersEncrypted: string | null;
  eraseAt: Date | null;
}

const COLUMNS = {
  id: "id",
  tenantId: "tenant_id",
  apiKeyId: "api_key_id",
  status: "status",
  phase: "phase",
  progress: "progress",
  engine: "engine",
  model: "model",
  language: "language",
  priority: "priority",
  recordingId: "recording_id",
  metadata: "metadata",
  options: "options",
  source: "source",
  retryOf: "retry_of",
  batchId: "batch_id",
  batchLine: "batch_line",
  traceparent: "traceparent",
  webhookUrl: "webhook_url",
  webhookEvents: "webhook_events",
  webhookSecretEncrypted: "webhook_secret_encrypted",
  webhookSequence: "webhook_sequence",
  providerAccountEncrypted: "provider_account_encrypted",
  createdAt: "created_at",
  updatedAt: "updated_at",
  startedAt: "started_at",
  completedAt: "completed_at",
  attempts: "attempts",
  crashes: "crashes",
  childDeaths: "child_deaths",
  runAlone: "run_alone",
  leaseEpoch: "lease_epoch",
  audioSeconds: "audio_seconds",
  duration: "duration",
  audioKey: "audio_key",
  audioSha256: "audio_sha256",
  audioBytes: "audio_bytes",
  checkpoint: "checkpoint",
  nextOrdinal: "next_ordinal",
  warnings: "warnings",
  error: "error",
  frontDoor: "front_door",
  webhookHeadersEncrypted: "webhook_headers_encrypted",
  eraseAt: "erase_at",
} as const satisfies Record<keyof JobRow, string>;

/** The select list that `toJobRow` reads; `jobs` must be named so in the statement. */
export const JOB_COLUMNS = Object.entries(COLUMNS)
  .map(([name, column]) => `jobs.${column} AS "${name}"`)
  .join(", ");

/** A row selected with `JOB_COLUMNS`. Sizes come as text from Postgres' bigint. */
export function toJobRow(row: Record<string, unknown>): JobRow {
  const job = row as unknown as JobRow;
  job.audioBytes = row.audioBytes === null ? null : Number(row.audioBytes);
  return job;
}
