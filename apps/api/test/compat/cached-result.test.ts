import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { ensureTenant, heartbeat, tenantProviders } from "@scribe/database";
import { makeWav } from "@scribe/testing";
import { finishForCache, IDENTITIES } from "../drive-jobs.ts";
import { startTestApi, type TestApi } from "../start-test-api.ts";
import { postForm } from "../uploads.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ OPENAI_MODELS: "whisper-1" });
  const worker = { id: "w", roles: ["transcription"], slots: 1, models: [], version: "1" };
  await heartbeat(api.db, { ...worker, identities: IDENTITIES });
}, 60_000);
afterAll(() => api.stop());

let counter = 0;
let bytes: Uint8Array<ArrayBuffer>;
beforeEach(() => {
  bytes = makeWav({ seconds: 0.3 + counter++ / 1000 }) as Uint8Array<ArrayBuffer>;
});

function form(fields: Record<string, string> = {}): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  data.append("file", new Blob([bytes]), "speech.wav");
  return data;
}

/** The result of these bytes is there: a job of our own door, with a worker's work done. */
async function known(): Promise<void> {
  const response = await postForm(api, [{ name: "file", value: bytes, filename: "speech.wav" }]);
  const { job_id: id } = (await response.json()) as { job_id: string };
  await finishForCache(api.db, id);
}

/** The newest job: who did it, and whether it was an earlier result. */
async function newest() {
  const { rows } = await api.db.pool.query(
    `SELECT j.id, j.status, j.worker_id, j.dispatched_at, t.extra->'cached' AS cached
     FROM jobs j LEFT JOIN transcripts t ON t.job_id = j.id ORDER BY j.created_at DESC, j.id DESC LIMIT 1`,
  );
  return rows[0];
}
const CACHED = { status: "completed", worker_id: null, dispatched_at: null, cached: true };

async function json(response: Promise<Response>): Promise<Record<string, unknown>> {
  const answer = await response;
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
}

test("OpenAI's door answers known bytes at once, and no worker hears of them", async () => {
  await known();
  const body = form({ model: "whisper-1" });
  const answer = await json(api.call("/v1/audio/transcriptions", { method: "POST", body }));
  expect(answer).toMatchObject({ text: "one two", usage: { seconds: 8 } });
  expect(await newest()).toMatchObject(CACHED);
});

test("so does its stream", async () => {
  await known();
  const body = form({ model: "gpt-4o-transcribe", stream: "true" });
  const text = await (await api.call("/v1/audio/transcriptions", { method: "POST", body })).text();
  const delta = "transcript.text.delta";
  expect(text.match(/transcript\.[\w.]+/g)).toEqual([delta, delta, "transcript.text.done"]);
  expect(await newest()).toMatchObject(CACHED);
});

test("Deepgram's", async () => {
  await known();
  const answer = await json(
    api.call("/deepgram/v1/listen", { method: "POST", body: bytes, headers: { "Content-Type": "audio/wav" } }),
  );
  expect(JSON.stringify(answer.results)).toContain('"transcript":"one two"');
  expect(await newest()).toMatchObject(CACHED);
});

test("a callback of Deepgram's is posted with the whole answer", async () => {
  await known();
  const path = `/deepgram/v1/listen?callback=${encodeURIComponent("https://example.com/hook")}`;
  const headers = { "Content-Type": "audio/wav" };
  const { request_id: id } = await json(api.call(path, { method: "POST", body: bytes, headers }));
  expect(await newest()).toMatchObject({ ...CACHED, id });
  const { rows } = await api.db.pool.query("SELECT body FROM webhook_deliveries WHERE job_id = $1", [id]);
  expect(rows).toHaveLength(1);
  expect(rows[0].body).toContain('"transcript":"one two"');
});

test("AssemblyAI's, whose creation shows the transcript then", async () => {
  await known();
  const upload = await json(api.call("/assemblyai/v2/upload", { method: "POST", body: bytes }));
  const created = await json(api.call("/assemblyai/v2/transcript", { json: { audio_url: upload.upload_url } }));
  expect(created).toMatchObject({ status: "completed", text: "one two" });
  expect(await newest()).toMatchObject({ ...CACHED, id: created.id });
});

test("RunPod's, of audio inside JSON", async () => {
  await known();
  const input = { transcribe_args: { blob: Buffer.from(bytes).toString("base64") } };
  expect(await json(api.call("/runpod/v2/whisper/runsync", { json: { input } }))).toMatchObject({
    status: "COMPLETED",
  });
  expect(await newest()).toMatchObject(CACHED);
});

test("the storage service's, with the text", async () => {
  await known();
  const created = await json(api.call("/compat/storage/-/api/jobs", { method: "POST", body: form() }));
  expect(created).toMatchObject({ status: "completed", text: "one two" });
  expect(await newest()).toMatchObject(CACHED);
});

test("the notes service's", async () => {
  await known();
  const { job_id: note } = await json(api.call("/compat/notes/-/jobs", { method: "POST", body: form() }));
  expect(await newest()).toMatchObject(CACHED);
  expect(await json(api.call(`/compat/notes/-/jobs/${note}`))).toMatchObject({ status: "completed" });
});

test("what would be another result is worked on", async () => {
  await known();
  await json(api.call("/compat/storage/-/api/jobs", { method: "POST", body: form({ mode: "dialogue" }) }));
  expect(await newest()).toMatchObject({ status: "pending", cached: null });
});

test("a job that the notes service sends to OpenAI obeys the tenant's own settings", async () => {
  const { id } = await ensureTenant(api.db, "careful");
  await tenantProviders(api.db, id).put("openai", {
    apiKey: "sk-tenant",
    baseUrl: null,
    models: ["gpt-4o-transcribe"],
  });
  const { key } = await api.makeKey(["transcribe"], { tenant: "careful" });
  const headers = { "X-OpenAI-API-Key": "sk-own" };
  await json(api.call("/compat/notes/-/jobs", { method: "POST", body: form(), headers, key }));
  const { rows } = await api.db.pool.query("SELECT model FROM jobs WHERE tenant_id = $1", [id]);
  expect(rows).toEqual([{ model: "gpt-4o-transcribe" }]);
});
