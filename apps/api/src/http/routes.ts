import type { Route } from "../openapi/route.ts";
import { getAudit } from "./admin-audit.ts";
import { getAdminJobs, getAdminQueues } from "./admin-jobs.ts";
import { deleteAdminKey, getAdminKeys, postAdminKey } from "./admin-keys.ts";
import { getStorageStats, runCleanup } from "./admin-storage.ts";
import { getTenants, patchTenant, postTenant } from "./admin-tenants.ts";
import { getUsers, patchUser } from "./admin-users.ts";
import { login } from "./auth-login.ts";
import { logout } from "./auth-logout.ts";
import { getMe } from "./auth-me.ts";
import { postPassword } from "./auth-password.ts";
import { refresh } from "./auth-refresh.ts";
import { register } from "./auth-register.ts";
import { getBatchResults } from "./batch-results.ts";
import { cancelBatch, deleteBatch, getBatch, listBatches, postBatch } from "./batches.ts";
import { assemblyaiRoutes } from "./compat/assemblyai/index.ts";
import { deepgramRoutes } from "./compat/deepgram/index.ts";
import { legacyTestWebhook } from "./compat/legacy/webhook-test.ts";
import { notesRoutes } from "./compat/notes/index.ts";
import { openaiRoutes } from "./compat/openai/index.ts";
import { runpodRoutes } from "./compat/runpod/index.ts";
import { saasRoutes } from "./compat/saas/index.ts";
import { storageRoutes } from "./compat/storage/index.ts";
import { docs, docsScript } from "./docs.ts";
import { cancelEnhancement, deleteEnhancement, getEnhancement, listEnhancements } from "./enhanced-ai.ts";
import { postEnhancement } from "./enhanced-ai-create.ts";
import { watchEnhancement } from "./enhanced-ai-events.ts";
import { getEvents } from "./events.ts";
import { completeFile } from "./files-complete.ts";
import { presignFile } from "./files-presign.ts";
import { createTus, deleteTus, describeTus, patchTus, readTus } from "./files-tus.ts";
import { uploadFile } from "./files-upload.ts";
import { health, ready } from "./health.ts";
import { deleteInvitation, getInvitations, postInvitation } from "./invitations.ts";
import { cancelJob, deleteJob, getJob, listJobs } from "./jobs.ts";
import { deleteKey, getKeys, postKey, postKeyRotation } from "./keys.ts";
import { deleteLexicon, getLexicon, getLexicons, postLexicon, putLexicon } from "./lexicons.ts";
import { deleteMember, getMembers, patchMember } from "./members.ts";
import { metrics } from "./metrics.ts";
import { listModels } from "./models.ts";
import { openapiRoute } from "./openapi.ts";
import { getParagraphs } from "./paragraphs.ts";
import { deleteProvider, getProvider, putProvider } from "./providers.ts";
import { redeliver } from "./redeliver.ts";
import { retryJob } from "./retry.ts";
import { postWebhookSecretRotation } from "./rotate-webhook-secret.ts";
import { search } from "./search.ts";
import { getTimeline, patchSpeakers } from "./speakers.ts";
import { transcribe } from "./transcribe.ts";
import { getTranscript } from "./transcript.ts";
import { getSharedTranscript, postTranscriptLink } from "./transcript-link.ts";
import { upload } from "./upload.ts";
import { getUsage } from "./usage.ts";
import { enableWebhookEndpoint, listWebhookEndpoints } from "./webhook-endpoints.ts";
import { testWebhook } from "./webhook-test.ts";
import { getWebhookSecret, listDeliveries } from "./webhooks.ts";

/** Everything that the API answers, in the order in which the document shows it. */
export const routes: readonly Route[] = [
  transcribe,
  upload,
  listJobs,
  getJob,
  deleteJob,
  cancelJob,
  retryJob,
  getTranscript,
  getParagraphs,
  patchSpeakers,
  getTimeline,
  postTranscriptLink,
  getSharedTranscript,
  getEvents,
  postBatch,
  listBatches,
  getBatch,
  deleteBatch,
  cancelBatch,
  getBatchResults,
  postEnhancement,
  listEnhancements,
  getEnhancement,
  watchEnhancement,
  deleteEnhancement,
  cancelEnhancement,
  presignFile,
  uploadFile,
  completeFile,
  describeTus,
  createTus,
  readTus,
  patchTus,
  deleteTus,
  search,
  postLexicon,
  getLexicons,
  getLexicon,
  putLexicon,
  deleteLexicon,
  listModels,
  putProvider,
  getProvider,
  deleteProvider,
  getWebhookSecret,
  postWebhookSecretRotation,
  listWebhookEndpoints,
  enableWebhookEndpoint,
  listDeliveries,
  redeliver,
  testWebhook,
  postKey,
  getKeys,
  postKeyRotation,
  deleteKey,
  getUsage,
  register,
  login,
  refresh,
  logout,
  getMe,
  postPassword,
  getMembers,
  // Before the members: `invitations` is no member's id.
  postInvitation,
  getInvitations,
  deleteInvitation,
  patchMember,
  deleteMember,
  postTenant,
  getTenants,
  patchTenant,
  postAdminKey,
  getAdminKeys,
  deleteAdminKey,
  getUsers,
  patchUser,
  getAudit,
  getAdminJobs,
  getAdminQueues,
  runCleanup,
  getStorageStats,
  health,
  ready,
  metrics,
  openapiRoute(() => routes),
  docs,
  docsScript,
  ...openaiRoutes,
  ...deepgramRoutes,
  ...assemblyaiRoutes,
  ...runpodRoutes,
  ...notesRoutes,
  ...storageRoutes,
  ...saasRoutes,
  legacyTestWebhook,
];
