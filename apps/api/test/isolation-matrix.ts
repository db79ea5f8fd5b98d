import type { Things } from "./isolation-things.ts";
import type { CallInit } from "./start-test-api.ts";

export interface Row {
  /** Asks for the things as a caller to whom they do not belong would. */
  ask: (things: Things) => { path: string; init?: CallInit };
}

type Verdict = Row[] | "takes no id" | "for everybody" | "for the operator";

const get = (path: (things: Things) => string): Row => ({ ask: (things) => ({ path: path(things) }) });
const send = (method: string, path: (things: Things) => string, json?: (things: Things) => unknown): Row => ({
  ask: (things) => ({
    path: path(things),
    init: json === undefined ? { method } : { method, json: json(things) },
  }),
});

const tus = (method: string): Row => ({
  ask: ({ resumable }) => ({
    path: `/api/v1/files/tus/${resumable}`,
    init: {
      method,
      headers: { "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream" },
      ...(method === "PATCH" ? { body: "bytes" } : {}),
    },
  }),
});

/** Every route has a row, by its name in the document. */
export const MATRIX: Record<string, Verdict> = {
  transcribe: [
    send(
      "POST",
      () => "/api/v1/transcribe",
      ({ upload }) => ({ upload_id: upload }),
    ),
  ],
  transcribeUpload: "takes no id",
  listJobs: [
    get(({ cursor }) => `/api/v1/jobs?cursor=${cursor}`),
    get(({ batch }) => `/api/v1/jobs?batch_id=${batch}`),
  ],
  createBatch: [
    send(
      "POST",
      () => "/api/v1/batches",
      ({ upload }) => ({ items: [{ upload_id: upload }] }),
    ),
  ],
  listBatches: [get(({ batch }) => `/api/v1/batches?cursor=${batch}`)],
  getBatch: [get(({ batch }) => `/api/v1/batches/${batch}`)],
  getBatchResults: [get(({ batch }) => `/api/v1/batches/${batch}/results`)],
  cancelBatch: [send("POST", ({ batch }) => `/api/v1/batches/${batch}/cancel`)],
  deleteBatch: [send("DELETE", ({ batch }) => `/api/v1/batches/${batch}`)],
  getJob: [get(({ job }) => `/api/v1/jobs/${job}`), get(({ job }) => `/api/v1/jobs/${job}?result=false`)],
  deleteJob: [
    send("DELETE", ({ job }) => `/api/v1/jobs/${job}`),
    send("DELETE", ({ failed }) => `/api/v1/jobs/${failed}`),
  ],
  cancelJob: [send("POST", ({ job }) => `/api/v1/jobs/${job}/cancel`)],
  retryJob: [send("POST", ({ failed }) => `/api/v1/jobs/${failed}/retry`)],
  getTranscript: [
    get(({ job }) => `/api/v1/jobs/${job}/transcript`),
    get(({ job }) => `/api/v1/jobs/${job}/transcript?format=srt&partial=true`),
  ],
  renameSpeakers: [
    send(
      "PATCH",
      ({ job }) => `/api/v1/jobs/${job}/speakers`,
      () => ({ speakers: {} }),
    ),
  ],
  drawTimeline: [get(({ job }) => `/api/v1/jobs/${job}/timeline.svg`)],
  linkTranscript: [
    send(
      "POST",
      ({ job }) => `/api/v1/jobs/${job}/transcript/link`,
      () => ({ format: "text" }),
    ),
  ],
  readSharedTranscript: "for everybody",
  watchJob: [get(({ job }) => `/api/v1/jobs/${job}/events`)],
  enhance: [
    send(
      "POST",
      () => "/api/v1/enhanced-ai",
      ({ job }) => ({ transcription_job_id: job, tasks: ["summary"] }),
    ),
  ],
  listEnhancements: [get(({ job }) => `/api/v1/enhanced-ai?transcription_job_id=${job}`)],
  getEnhancement: [get(({ enhancement }) => `/api/v1/enhanced-ai/${enhancement}`)],
  watchEnhancement: [get(({ enhancement }) => `/api/v1/enhanced-ai/${enhancement}/events`)],
  deleteEnhancement: [send("DELETE", ({ enhancement }) => `/api/v1/enhanced-ai/${enhancement}`)],
  cancelEnhancement: [send("POST", ({ enhancement }) => `/api/v1/enhanced-ai/${enhancement}/cancel`)],
  presignFile: "takes no id",
  uploadFile: "for everybody",
  completeFile: [
    send(
      "POST",
      () => "/api/v1/files/complete",
      ({ upload }) => ({ upload_id: upload }),
    ),
  ],
  getParagraphs: [get(({ job }) => `/api/v1/jobs/${job}/paragraphs`)],
  search: [get(({ page }) => `/api/v1/search?q=alone&cursor=${page}`)],
  createLexicon: "takes no id",
  listLexicons: "takes no id",
  getLexicon: [get(({ lexicon }) => `/api/v1/lexicons/${lexicon}`)],
  replaceLexicon: [
    send(
      "PUT",
      ({ lexicon }) => `/api/v1/lexicons/${lexicon}`,
      () => ({ hotwords: ["mine"] }),
    ),
  ],
  deleteLexicon: [send("DELETE", ({ lexicon }) => `/api/v1/lexicons/${lexicon}`)],
  describeResumableUploads: "for everybody",
  createResumableUpload: "takes no id",
  readResumableUpload: [tus("HEAD")],
  continueResumableUpload: [tus("PATCH")],
  abandonResumableUpload: [tus("DELETE")],
  listModels: "takes no id",
  // A name is a name of the caller's own settings.
  putProvider: [
    send(
      "PUT",
      () => "/api/v1/providers/none",
      () => ({ api_key: "k" }),
    ),
  ],
  getProvider: [get(({ provider }) => `/api/v1/providers/${provider}`)],
  deleteProvider: [send("DELETE", ({ provider }) => `/api/v1/providers/${provider}`)],
  getWebhookSecret: "takes no id",
  rotateWebhookSecret: "takes no id",
  listWebhookEndpoints: "takes no id",
  enableWebhookEndpoint: [send("POST", ({ endpoint }) => `/api/v1/webhooks/endpoints/${endpoint}/enable`)],
  listDeliveries: [get(({ job }) => `/api/v1/webhooks/deliveries?job_id=${job}`)],
  redeliver: [send("POST", ({ delivery }) => `/api/v1/webhooks/deliveries/${delivery}/redeliver`)],
  testWebhook: "takes no id",
  createKey: "takes no id",
  listKeys: "takes no id",
  rotateKey: [
    send(
      "POST",
      ({ key }) => `/api/v1/keys/${key}/rotate`,
      () => ({}),
    ),
  ],
  revokeKey: [send("DELETE", ({ key }) => `/api/v1/keys/${key}`)],
  getUsage: "takes no id",
  register: "for everybody",
  logIn: "for everybody",
  refreshSession: "for everybody",
  logOut: "for everybody",
  getMe: "takes no id",
  changePassword: "takes no id",
  listMembers: "takes no id",
  changeRole: [
    send(
      "PATCH",
      ({ member }) => `/api/v1/members/${member}`,
      () => ({ role: "viewer" }),
    ),
  ],
  removeMember: [send("DELETE", ({ member }) => `/api/v1/members/${member}`)],
  invite: "takes no id",
  listInvitations: "takes no id",
  withdrawInvitation: [send("DELETE", ({ invitation }) => `/api/v1/members/invitations/${invitation}`)],
  createTenant: "for the operator",
  listTenants: "for the operator",
  updateTenant: "for the operator",
  createTenantKey: "for the operator",
  listTenantKeys: "for the operator",
  revokeTenantKey: "for the operator",
  listUsers: "for the operator",
  updateUser: "for the operator",
  readAudit: "for the operator",
  listAllJobs: "for the operator",
  readQueues: "for the operator",
  runCleanup: "for the operator",
  getStorageStats: "for the operator",
  health: "for everybody",
  ready: "for everybody",
  metrics: "for the operator",
  openapi: "for everybody",
  docs: "for everybody",
  docsScript: "for everybody",
  openaiTranscription: "takes no id",
  openaiTranslation: "takes no id",
  openaiModels: "takes no id",
  deepgramListen: "takes no id",
  runpodRun: [get(() => "/runpod/v2/x/status/none")],
  runpodRunSync: [get(() => "/runpod/v2/x/status/none")],
  runpodStatus: [get(({ job }) => `/runpod/v2/x/status/${job}`)],
  runpodStatusSync: [get(({ job }) => `/runpod/v2/x/status-sync/${job}?wait=1000`)],
  runpodStream: [get(({ job }) => `/runpod/v2/x/stream/${job}`)],
  runpodCancel: [send("POST", ({ job }) => `/runpod/v2/x/cancel/${job}`)],
  runpodPurgeQueue: [get(() => "/runpod/v2/x/status/none")],
  runpodHealth: [get(() => "/runpod/v2/x/status/none")],
  legacyTestWebhook: "takes no id",
  assemblyaiUpload: "takes no id",
  assemblyaiCreate: [
    send(
      "POST",
      () => "/assemblyai/v2/transcript",
      ({ upload }) => ({ audio_url: `http://any/assemblyai/v2/upload/${upload}` }),
    ),
  ],
  assemblyaiList: [
    get(({ job }) => `/assemblyai/v2/transcript?before_id=${job}`),
    get(({ job }) => `/assemblyai/v2/transcript?after_id=${job}`),
  ],
  assemblyaiGet: [get(({ job }) => `/assemblyai/v2/transcript/${job}`)],
  assemblyaiDelete: [send("DELETE", ({ job }) => `/assemblyai/v2/transcript/${job}`)],
  assemblyaiSentences: [get(({ job }) => `/assemblyai/v2/transcript/${job}/sentences`)],
  assemblyaiParagraphs: [get(({ job }) => `/assemblyai/v2/transcript/${job}/paragraphs`)],
  assemblyaiSrt: [get(({ job }) => `/assemblyai/v2/transcript/${job}/srt`)],
  assemblyaiVtt: [get(({ job }) => `/assemblyai/v2/transcript/${job}/vtt`)],
  assemblyaiWordSearch: [get(({ job }) => `/assemblyai/v2/transcript/${job}/word-search?words=a`)],
  openaiModel: [get(() => "/v1/models/none")],
  notesCreateJob: [get(() => "/compat/notes/-/jobs/none")],
  notesGetJob: [get(({ note }) => `/compat/notes/-/jobs/${note}`), get(({ job }) => `/compat/notes/-/jobs/${job}`)],
  notesDownload: [get(({ note }) => `/compat/notes/-/jobs/${note}/download`)],
  notesHealth: "for everybody",
  storageCreateJob: [get(() => "/compat/storage/-/api/jobs/none")],
  storageGetJob: [get(({ job }) => `/compat/storage/-/api/jobs/${job}`)],
  storageServiceStats: "for the operator",
  storageServiceCleanup: "for the operator",
  saasRegister: "for everybody",
  saasLogIn: "for everybody",
  saasMe: "takes no id",
  saasPresign: "takes no id",
  saasUpload: "for everybody",
  saasComplete: [
    send(
      "POST",
      () => "/compat/saas/files/complete",
      ({ upload }) => ({ storage_key: upload }),
    ),
    send(
      "POST",
      () => "/compat/saas/files/complete",
      ({ resumable }) => ({ storage_key: resumable }),
    ),
  ],
  saasCreateJob: [
    send(
      "POST",
      () => "/compat/saas/jobs",
      ({ upload }) => ({ storage_key: upload }),
    ),
  ],
  saasListJobs: "takes no id",
  saasGetJob: [get(({ job }) => `/compat/saas/jobs/${job}`)],
  saasDownload: [get(({ job }) => `/compat/saas/jobs/${job}/download`)],
};
