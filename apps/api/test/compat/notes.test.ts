import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ensureTenant, eraseDue, tenantJobs } from "@scribe/database";
import { openStore } from "@scribe/storage";
import { finish, segment } from "../drive-jobs.ts";
import { startTestApi, type TestApi } from "../start-test-api.ts";
import { callAt, form, postNote, soundOf } from "./older-bench.ts";

const PROVIDER_KEY = "sk-canary7bird-0123456789";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ OPENAI_MODELS: "gpt-4o-transcribe" });
}, 60_000);
afterAll(() => api.stop());

const idOf = async (note: unknown): Promise<string> =>
  (await api.db.pool.query("SELECT id FROM jobs WHERE recording_id = $1", [note])).rows[0].id;

async function found(word: string): Promise<string[]> {
  const places: string[] = [];
  const { rows: tables } = await api.db.pool.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
  );
  for (const { name } of tables) {
    const { rowCount } = await api.db.pool.query(`SELECT 1 FROM ${name} AS t WHERE t::text LIKE '%${word}%' LIMIT 1`);
    if (rowCount === 1) places.push(name);
  }
  for (const file of await api.allFiles())
    if ((await readFile(join(api.dataDir, "audio", file))).includes(word)) places.push(file);
  if (api.log().includes(word)) places.push("log");
  return places;
}

test("OpenAI's key is nowhere to be read, and gone when the job has ended", async () => {
  const [status, { job_id: note }] = await postNote(api, form(), { "X-OpenAI-API-Key": PROVIDER_KEY });
  expect(status).toBe(200);
  const id = await idOf(note);
  const row = async () => (await api.db.pool.query("SELECT * FROM jobs WHERE id = $1", [id])).rows[0];
  const { engine, model, provider_account_encrypted: account } = await row();
  expect([engine, model]).toEqual(["openai", "gpt-4o-transcribe"]);
  expect(JSON.parse(api.db.secrets.decrypt(account))).toEqual({ apiKey: PROVIDER_KEY });
  expect(await found("canary7bird")).toEqual([]);
  await finish(api.db, id, [segment(0, "Good morning.")]);
  expect((await row()).provider_account_encrypted).toBeNull();
  expect((await callAt(api, { door: "notes", path: `/jobs/${note}` }))[1]).toMatchObject({
    status: "completed",
    transcript_available: true,
  });
  expect(await found("canary7bird")).toEqual([]);
  // The word would have been found: it is looked for where it stands, too.
  await postNote(api, form({}, soundOf(0.9)), { "X-Request-Id": "canary7bird" });
  expect(await found("canary7bird")).toEqual(["log"]);
});

test("without such a key the models here do it", async () => {
  const [, { job_id: note }] = await postNote(api, form({ diarize: "True", later: "1" }));
  const { rows } = await api.db.pool.query("SELECT engine, options FROM jobs WHERE recording_id = $1", [note]);
  expect(rows).toMatchObject([{ engine: "onnx", options: { diarize: true } }]);
});

test("all of a job is gone after two hours, also where nobody has erased it yet", async () => {
  const [, { job_id: note }] = await postNote(api);
  const id = await idOf(note);
  const { rows } = await api.db.pool.query(
    "SELECT extract(epoch FROM erase_at - created_at)::float AS seconds, audio_key FROM jobs WHERE id = $1",
    [id],
  );
  expect(rows[0].seconds).toBeCloseTo(7_200, -1);
  await finish(api.db, id, [segment(0, "Good morning.")]);
  await api.db.pool.query("UPDATE jobs SET erase_at = now() - interval '1 second' WHERE id = $1", [id]);
  expect((await callAt(api, { door: "notes", path: `/jobs/${note}` }))[0]).toBe(404);
  expect((await callAt(api, { door: "notes", path: `/jobs/${note}/download` }))[0]).toBe(404);
  const files = await api.storedFiles();
  const objects = await openStore({ STORAGE_BACKEND: "local", SCRIBE_DATA_DIR: api.dataDir } as never, {});
  await eraseDue({ db: api.db, objects, actor: "retention", signal: AbortSignal.timeout(10_000) });
  await objects.close();
  expect(await found(String(note))).toEqual(["log"]);
  // A message is a hint with an id in it, and goes when somebody takes it: here no worker does.
  const places = (await found(id)).filter((place) => !place.startsWith("bullmq."));
  expect(places).toEqual(["public.audit"]);
  expect(files.filter((file) => rows[0].audio_key.endsWith(file))).toHaveLength(1);
  expect(await api.storedFiles()).toHaveLength(files.length - 1);
});

test.each([
  ["no file", form({ diarize: "true" }, null), {}, 400],
  ["an empty file", form({}, ""), {}, 400],
  ["a file that is no audio", form({}, "\u0000\u0001\u0002"), {}, 400],
  ["a file and an address", form({ url: "https://example.com/a.wav" }), {}, 400],
  ["a switch that is none", form({ diarize: "perhaps" }), {}, 400],
  ["a key with blanks in it", form(), { "X-OpenAI-API-Key": "s k" }, 400],
])("%s is refused, and nothing stays", async (_what, body, headers, status) => {
  const before = await api.storedFiles();
  const [seen, { detail }] = await postNote(api, body, headers);
  expect([seen, typeof detail]).toEqual([status, "string"]);
  expect(await api.storedFiles()).toEqual(before);
});

test("a switch behind the file is read, and refused where it is wrong", async () => {
  const before = await api.storedFiles();
  const body = new FormData();
  body.append("file", new Blob([soundOf(0.3)]), "a.wav");
  body.append("diarize", "perhaps");
  expect((await postNote(api, body))[0]).toBe(400);
  expect(await api.storedFiles()).toEqual(before);
});

test("a provider that refuses its key fails the job, which says so", async () => {
  const [, { job_id: note }] = await postNote(api, form(), { "X-OpenAI-API-Key": "sk-wrong" });
  const error = { code: "provider_unauthorized", message: "OpenAI refused the key.", retryable: false };
  await api.db.pool.query("UPDATE jobs SET status = 'failed', error = $2, completed_at = now() WHERE id = $1", [
    ...[await idOf(note), JSON.stringify(error)],
  ]);
  expect((await callAt(api, { door: "notes", path: `/jobs/${note}` }))[1]).toMatchObject({
    status: "failed",
    error: error.message,
  });
  expect(await callAt(api, { door: "notes", path: `/jobs/${note}/download` })).toEqual([
    400,
    { detail: expect.stringContaining(error.message) },
  ]);
});

test("ids of another service's form name nothing, on either side", async () => {
  const [, { job_id: note }] = await postNote(api);
  const [, { id }] = await callAt(api, { door: "storage", path: "/api/jobs", method: "POST", body: form() });
  for (const path of [`/jobs/${id}`, `/jobs/${await idOf(note)}`, "/jobs/17", `/jobs/${id}/download`])
    expect((await callAt(api, { door: "notes", path }))[0]).toBe(404);
  expect((await callAt(api, { door: "storage", path: `/api/jobs/${note}` }))[0]).toBe(404);
  expect((await api.call(`/compat/saas/jobs/${note}`)).status).toBe(404);
  // What only has the form of one of these ids, and is a recording's of our own API, is none.
  await api.call("/api/v1/transcribe", {
    json: { url: "https://example.com/a.wav", recording_id: "0b7e1c3a-5d2f-4c6b-8a9d-1e2f3a4b5c6d" },
  });
  expect((await callAt(api, { door: "notes", path: "/jobs/0b7e1c3a-5d2f-4c6b-8a9d-1e2f3a4b5c6d" }))[0]).toBe(404);
});

test("a job that was tried again goes on under its id", async () => {
  const [, { job_id: note }] = await postNote(api);
  const id = await idOf(note);
  await tenantJobs(api.db, (await ensureTenant(api.db, "default")).id).cancel(id);
  expect((await callAt(api, { door: "notes", path: `/jobs/${note}` }))[1]).toMatchObject({ status: "failed" });
  expect((await api.call(`/api/v1/jobs/${id}/retry`, { method: "POST" })).status).toBe(202);
  expect((await callAt(api, { door: "notes", path: `/jobs/${note}` }))[1]).toMatchObject({ status: "queued" });
});
