export {
  type ClaimedDelivery,
  claimDelivery,
  type DeliveryTry,
  finishDeliveryTry,
} from "./deliveries/claim-delivery.ts";
export { type DeliveryFilter, type DeliveryRow, tenantDeliveries } from "./deliveries/tenant-deliveries.ts";
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "./embedded/start-embedded-postgres.ts";
export { type Idempotency, IdempotencyBusy, IdempotencyRace, type KeptAnswer, type NewJob } from "./jobs/create-job.ts";
export type { JobRow, JobSource } from "./jobs/job-row.ts";
export { readSegments } from "./jobs/read-transcript.ts";
export { type JobFilter, type QueuePosition, type TenantJobs, tenantJobs } from "./jobs/tenant-jobs.ts";
export type { JobEventRow } from "./jobs/write-events.ts";
export { type Claimed, claimJob, type Lease, MAX_CRASHES } from "./lifecycle/claim-job.ts";
export { completeJob, type JobOutcome } from "./lifecycle/complete-job.ts";
export { failAttempt, handBack, MAX_CHILD_DEATHS, type RetryPolicy } from "./lifecycle/end-attempt.ts";
export { renewLease, stillRunning } from "./lifecycle/keep-lease.ts";
export {
  type FinishedWindow,
  recordAudio,
  recordDecoded,
  recordPhase,
  recordRestart,
  recordWindow,
} from "./lifecycle/record-progress.ts";
export { type MigrationStatus, migrateDatabase, migrationStatus } from "./migrations/migrate-database.ts";
export { type Database, type DatabaseOptions, isDatabaseUnavailable, openDatabase } from "./open-database.ts";
export {
  type DispatchedRow,
  dispatchRows,
  findUnclaimed,
  type OutboxKind,
  secondsUntilDue,
  undispatch,
} from "./outbox/dispatch-rows.ts";
export { createSecretBox, type SecretBox } from "./secret-box.ts";
export { type AuditedAct, audit } from "./tenants/audit.ts";
export { createKey, findKey, type KeyRow, listKeys, type NewKey, revokeKey, touchKey } from "./tenants/keys.ts";
export { ensureTenant, type TenantRow, webhookSecrets } from "./tenants/tenants.ts";
export { type NewUpload, tenantUploads, type UploadRow } from "./tenants/uploads.ts";
export {
  heartbeat,
  liveSlots,
  modelLoads,
  queueDepth,
  removeWorker,
  type WorkerState,
} from "./workers/workers.ts";
