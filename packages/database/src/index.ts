export { type InvitationRow, tenantInvitations } from "./accounts/invitations.ts";
export { type Attempt, clearAttempts, countAttempt, type LockOut } from "./accounts/login-attempts.ts";
export { type MemberRow, tenantMembers } from "./accounts/members.ts";
export {
  endSessions,
  findSession,
  moveSession,
  openSession,
  type Rotated,
  rotateRefreshToken,
  type SessionAccess,
  sessionOfToken,
} from "./accounts/sessions.ts";
export {
  acceptInvitation,
  createUser,
  disableUser,
  findUser,
  getUser,
  listUsers,
  type NewUser,
  replacePasswordHash,
  tenantsOfUser,
  type UserRow,
  type UserTenant,
} from "./accounts/users.ts";
export type { BatchRow, RefusedLine } from "./batches/batch-row.ts";
export type { BatchItem, NewBatch } from "./batches/create-batch.ts";
export { type BatchAtWork, type BatchResult, type TenantBatches, tenantBatches } from "./batches/tenant-batches.ts";
export {
  type ClaimedDelivery,
  claimDelivery,
  type DeliveryTry,
  finishDeliveryTry,
  handBackDelivery,
} from "./deliveries/claim-delivery.ts";
export { type EndpointRow, tenantEndpoints } from "./deliveries/endpoints.ts";
export {
  type DeliveryFilter,
  type DeliveryRow,
  type PingResult,
  tenantDeliveries,
} from "./deliveries/tenant-deliveries.ts";
export { durabilityWarnings } from "./durability.ts";
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "./embedded/start-embedded-postgres.ts";
export {
  type ClaimedEnhancement,
  claimEnhancement,
  type EnhancementLease,
  type FinishedStep,
  keepStep,
  renewEnhancement,
  stillEnhancing,
} from "./enhancements/claim-enhancement.ts";
export {
  completeEnhancement,
  type EnhancementOutcome,
  type EnhancementRetry,
  failEnhancementAttempt,
  handBackEnhancement,
} from "./enhancements/end-enhancement.ts";
export type { EnhancementRow } from "./enhancements/enhancement-row.ts";
export {
  type EnhancementFilter,
  type EnhancementLink,
  NoTranscript,
  tenantEnhancements,
  type WantedEnhancement,
} from "./enhancements/tenant-enhancements.ts";
export { type Allowance, AllowanceExceeded, type NewJob } from "./jobs/create-job.ts";
export type { EqualJob } from "./jobs/find-equal-job.ts";
export {
  type InstanceJob,
  type InstanceJobFilter,
  listInstanceJobs,
  type QueueState,
  readQueueStates,
} from "./jobs/instance-jobs.ts";
export type { JobRow, JobSource } from "./jobs/job-row.ts";
export { type Idempotency, IdempotencyBusy, IdempotencyRace, type KeptAnswer } from "./jobs/once.ts";
export { readSegments, readTranscript } from "./jobs/read-transcript.ts";
export { NotRetryable, type RetryOptions } from "./jobs/retry-job.ts";
export {
  type JobCounts,
  type JobFilter,
  type QueuePosition,
  type TenantJobs,
  tenantJobs,
  type WholeJob,
} from "./jobs/tenant-jobs.ts";
export type { JobEventRow } from "./jobs/write-events.ts";
export { type LexiconRow, type LexiconVersion, tenantLexicons } from "./lexicons/lexicons.ts";
export { type Claimed, claimJob, type Lease, MAX_CRASHES } from "./lifecycle/claim-job.ts";
export { completeFromCache } from "./lifecycle/complete-from-cache.ts";
export { completeJob, type JobOutcome } from "./lifecycle/complete-job.ts";
export { failAttempt, handBack, MAX_CHILD_DEATHS, type RetryPolicy } from "./lifecycle/end-attempt.ts";
export { type LeaseState, lookAtLeases, renewLease } from "./lifecycle/keep-lease.ts";
export {
  type FinishedWindow,
  recordAudio,
  recordDecoded,
  recordPhase,
  recordRestart,
  recordWindow,
} from "./lifecycle/record-progress.ts";
export { findSpeakersFound, recordSpeakersFound, type SpeakersFound } from "./lifecycle/record-speakers.ts";
export { type MigrationStatus, migrateDatabase, migrationStatus } from "./migrations/migrate-database.ts";
export { type Database, type DatabaseOptions, isDatabaseUnavailable, openDatabase } from "./open-database.ts";
export { promoteAged } from "./outbox/dispatch-jobs.ts";
export {
  type DispatchedRow,
  dispatchRows,
  findUnclaimed,
  type OutboxKind,
  secondsUntilDue,
  undispatch,
} from "./outbox/dispatch-rows.ts";
export { eraseDue, type RetentionOptions, type RetentionPolicy, runRetention } from "./retention/run-retention.ts";
export type { CleanupReport, StoredObjects } from "./retention/stored-objects.ts";
export { type SearchHit, type SearchPlace, type SearchQuestion, searchSegments } from "./search/search-segments.ts";
export { createSecretBox, type SecretBox } from "./secret-box.ts";
export { type AuditedAct, type AuditFilter, type AuditRow, audit, readAudit } from "./tenants/audit.ts";
export {
  createTenant,
  getTenant,
  type InstanceTenant,
  listTenants,
  updateTenant,
} from "./tenants/instance-tenants.ts";
export {
  createKey,
  findKey,
  getKey,
  type KeyRow,
  listInstanceKeys,
  listKeys,
  type NewKey,
  revokeInstanceKey,
  revokeKey,
  rotateKey,
  touchKey,
} from "./tenants/keys.ts";
export {
  type ProviderSettingInput,
  type ProviderSettingRow,
  readJobAccount,
  tenantProviders,
} from "./tenants/provider-settings.ts";
export { countHit, findKeyCounting, forgetHits, type Hit } from "./tenants/rate-hits.ts";
export { ENCRYPTED_COLUMNS, rotateSecrets } from "./tenants/rotate-secrets.ts";
export { ensureTenant, findTenant, rotateWebhookSecret, type TenantRow, webhookSecrets } from "./tenants/tenants.ts";
export { TooManyOpen } from "./tenants/too-many-open.ts";
export {
  releaseUploadLock,
  renewUploadLock,
  takeUploadLock,
  wantUploadLock,
} from "./tenants/upload-locks.ts";
export { type NewUpload, tenantUploads, type UploadRow } from "./tenants/uploads.ts";
export { tenantUsage, type UsageNow, type UsageRow } from "./tenants/usage.ts";
export { type InstanceState, readInstanceState } from "./workers/instance-state.ts";
export {
  heartbeat,
  liveIdentities,
  liveSlots,
  modelLoads,
  queueDepth,
  removeWorker,
  type WorkerState,
} from "./workers/workers.ts";
