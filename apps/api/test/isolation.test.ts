import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  createKey,
  createUser,
  ensureTenant,
  tenantInvitations,
  tenantJobs,
  tenantMembers,
  tenantProviders,
  tenantUploads,
} from "@scribe/database";
import { uuidV7 } from "@scribe/domain";
import { doorOf } from "../src/http/compat/doors.ts";
import { routes } from "../src/http/routes.ts";
import { claim, finish, segment } from "./drive-jobs.ts";
import { type CallInit, startTestApi, type TestApi } from "./start-test-api.ts";
import { wav } from "./uploads.ts";

/** What another tenant has, by kind; `nobody` has ids of the same form that nothing has. */
interface Things {
  job: string;
  failed: string;
  batch: string;
  upload: string;
  key: string;
  delivery: string;
  endpoint: string;
  enhancement: string;
  cursor: string;
  page: string;
  lexicon: string;
  provider: string;
  member: string;
  invitation: string;
  resumable: string;
  note: string;
}

interface Row {
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
const MATRIX: Record<string, Verdict> = {
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

let api: TestApi;
let mine: string;
let theirs: Things;
let nobody: Things;

beforeAll(async () => {
  api = await startTestApi({
    ...{ ACCOUNTS: "on", JWT_SECRET: "x".repeat(32) },
    ...{ ENHANCED_AI_BASE_URL: "http://127.0.0.1:9/v1", ENHANCED_AI_MODEL: "m" },
  });
  mine = (await api.makeKey(["transcribe", "manage"], { tenant: "mine" })).key;
  const { id: tenantId } = await ensureTenant(api.db, "theirs");
  const { id: key, key: theirKey } = await createKey(api.db, {
    ...{ tenantId, name: "k", scopes: ["transcribe", "manage"] },
  });
  const call = async (json: object, headers = {}) => {
    const response = await api.call("/api/v1/transcribe", { json, key: theirKey, headers });
    return ((await response.json()) as { job_id: string }).job_id;
  };
  const url = { url: "https://example.com/a.wav", webhook_url: "https://example.com/hook" };
  const [done, failed] = [await call(url), await call(url, { "Idempotency-Key": "shared" })];
  await finish(api.db, done, [segment(0, "theirs alone"), segment(1, "alone once more")]);
  await claim(api.db, failed);
  await tenantJobs(api.db, tenantId).cancel(failed);
  const upload = await tenantUploads(api.db, tenantId).create({
    ...{ state: "stored", sizeBytes: 10, storageKey: `audio/${tenantId}/x/source` },
    expiresAt: new Date(Date.now() + 3_600_000),
  });
  await api.call("/api/v1/lexicons", { json: { name: "theirs", hotwords: ["theirs"] }, key: theirKey });
  await tenantProviders(api.db, tenantId).put("openai", { apiKey: "k", baseUrl: null, models: [] });
  const found = await (await api.call("/api/v1/search?q=alone&limit=1", { key: theirKey })).json();
  const page = await (await api.call("/api/v1/jobs?limit=1", { key: theirKey })).json();
  const [row] = (await api.db.pool.query("SELECT id, endpoint_id FROM webhook_deliveries WHERE job_id = $1", [done]))
    .rows;
  const batch = await api.call("/api/v1/batches", {
    json: { items: [url].map(({ url }) => ({ url })) },
    key: theirKey,
  });
  const resumableId = uuidV7();
  const resumable = await tenantUploads(api.db, tenantId).create({
    ...{ id: resumableId, state: "presigned", sizeBytes: 10, storageKey: `uploads/${tenantId}/${resumableId}/tus` },
    expiresAt: upload.expiresAt,
  });
  const invitation = await tenantInvitations(api.db, tenantId).create({
    ...{ email: "i@example.com", role: "viewer", tokenHash: Buffer.alloc(32, 1), expiresAt: upload.expiresAt },
  });
  await tenantInvitations(api.db, tenantId).create({
    ...{ email: "m@example.com", role: "member", tokenHash: Buffer.alloc(32, 2), expiresAt: upload.expiresAt },
  });
  const made = await createUser(api.db, {
    ...{ email: "m@example.com", passwordHash: "-", invitation: Buffer.alloc(32, 2) },
  });
  if (typeof made === "string") throw new Error(made);
  const enhancement = await api.call("/api/v1/enhanced-ai", {
    json: { transcription_job_id: done, tasks: ["summary"] },
    key: theirKey,
  });
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(wav)]), "speech.wav");
  const note = await api.call("/compat/notes/-/jobs", { method: "POST", body: form, key: theirKey });
  theirs = {
    note: ((await note.json()) as { job_id: string }).job_id,
    enhancement: ((await enhancement.json()) as { job_id: string }).job_id,
    ...{ member: made.user.id, invitation: invitation.id, resumable: resumable.id },
    batch: ((await batch.json()) as { batch_id: string }).batch_id,
    ...{ job: done, failed, upload: upload.id, key, delivery: row.id, endpoint: row.endpoint_id },
    cursor: (page as { next_cursor: string }).next_cursor,
    ...{ page: (found as { next_cursor: string }).next_cursor, lexicon: "theirs", provider: "openai" },
  };
  const cursorOf = (id: string) =>
    Buffer.from(`${new Date().toISOString()} ${id} ${"x".repeat(12)}`).toString("base64url");
  nobody = {
    note: randomUUID(),
    enhancement: uuidV7(),
    ...{ member: uuidV7(), invitation: uuidV7(), resumable: uuidV7() },
    batch: uuidV7(),
    ...{ job: uuidV7(), failed: uuidV7(), upload: uuidV7(), key: uuidV7(), delivery: uuidV7(), endpoint: uuidV7() },
    cursor: cursorOf(uuidV7()),
    ...{
      page: Buffer.from(`${uuidV7()} 0 ${"x".repeat(12)}`).toString("base64url"),
      lexicon: "nobodys",
      provider: "assemblyai",
    },
  };
}, 60_000);
afterAll(() => api.stop());

/** Status, headers and bytes: all that an answer says. */
async function answerTo({ ask }: Row, things: Things, key: string) {
  const { path, init = {} } = ask(things);
  const response = await api.call(path, {
    ...{ ...init, key, headers: { ...(init.headers as Record<string, string>), "X-Request-Id": "the-same" } },
  });
  const headers = [...response.headers].filter(([name]) => !/^(date|ratelimit)$/.test(name));
  return { status: response.status, headers, body: await response.text() };
}

test("every route has a row", () => {
  expect(Object.keys(MATRIX).sort()).toEqual(routes.map(({ operationId }) => operationId).sort());
  for (const route of routes) {
    const verdict = MATRIX[route.operationId];
    const label = `${route.method} ${route.path}`;
    if (route.scope === "admin") expect([label, verdict]).toEqual([label, "for the operator"]);
    else if (route.scope === null) expect([label, verdict]).toEqual([label, "for everybody"]);
    else if (route.path.includes("{")) expect([label, Array.isArray(verdict)]).toEqual([label, true]);
  }
});

describe("what another tenant has is as if it were not there", () => {
  const rows = Object.entries(MATRIX).flatMap(([name, verdict]) =>
    Array.isArray(verdict) ? verdict.map((row, at) => [`${name} ${at + 1}`, row] as const) : [],
  );

  test.each(rows)("%s", async (_name, row) => {
    const [foreign, absent] = [await answerTo(row, theirs, mine), await answerTo(row, nobody, mine)];
    expect(foreign).toEqual(absent);
    expect(foreign.status).toBe(404);
    // Front doors of other services tell it in those services' words.
    const { path, init } = row.ask(theirs);
    if (doorOf(path) === null && init?.method !== "HEAD")
      expect(JSON.parse(foreign.body)).toMatchObject({ code: "not_found" });
  });

  test("and nothing of it has changed", async () => {
    const { rows: jobs } = await api.db.pool.query("SELECT status FROM jobs WHERE id = ANY($1) ORDER BY status", [
      [theirs.job, theirs.failed],
    ]);
    expect(jobs).toEqual([{ status: "completed" }, { status: "cancelled" }]);
    const { rows: keys } = await api.db.pool.query("SELECT revoked_at, expires_at FROM api_keys WHERE id = $1", [
      theirs.key,
    ]);
    expect(keys).toEqual([{ revoked_at: null, expires_at: null }]);
    const { id: tenantId } = await ensureTenant(api.db, "theirs");
    expect(await tenantMembers(api.db, tenantId).list()).toMatchObject([{ userId: theirs.member, role: "member" }]);
    expect(await tenantInvitations(api.db, tenantId).list()).toMatchObject([{ id: theirs.invitation }]);
  });
});

test("an Idempotency-Key of another tenant's is unknown", async () => {
  const json = { url: "https://example.com/a.wav", webhook_url: "https://example.com/hook" };
  const response = await api.call("/api/v1/transcribe", { json, key: mine, headers: { "Idempotency-Key": "shared" } });
  expect([response.status, response.headers.get("idempotency-replayed")]).toEqual([202, null]);
  expect(((await response.json()) as { job_id: string }).job_id).not.toBe(theirs.failed);
  // With other input too: 422 would tell that the key is in use.
  const other = await api.call("/api/v1/transcribe", {
    json: { url: "https://example.com/other.wav" },
    key: (await api.makeKey(["transcribe"], { tenant: "third" })).key,
    headers: { "Idempotency-Key": "shared" },
  });
  expect(other.status).toBe(202);
});

test("lists hold the own tenant's alone", async () => {
  for (const path of [
    "/api/v1/webhooks/endpoints",
    "/api/v1/webhooks/deliveries",
    "/api/v1/keys",
    "/api/v1/jobs",
    "/api/v1/members",
    "/api/v1/members/invitations",
    "/compat/saas/jobs",
  ]) {
    const text = await (await api.call(path, { key: mine })).text();
    for (const id of Object.values(theirs)) expect(text).not.toContain(id);
  }
});

test.each(routes.filter(({ scope }) => scope === "admin").map(({ method, path }) => [method, path] as const))(
  "%s %s is closed to those who do not run the instance",
  async (method, path) => {
    const response = await api.call(path.replace("{id}", theirs.key).replace("{key}", "-"), {
      method: method.toUpperCase(),
      key: mine,
    });
    expect(response.status).toBe(403);
  },
);
