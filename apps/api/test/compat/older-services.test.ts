import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ensureTenant, eraseDue, tenantJobs } from "@scribe/database";
import { openStore } from "@scribe/storage";
import { makeWav } from "@scribe/testing";
import { isPrivate } from "../../src/http/compat/anonymous-caller.ts";
import { finish, segment } from "../drive-jobs.ts";
import { startTestApi, type TestApi } from "../start-test-api.ts";

const PROVIDER_KEY = "sk-canary7bird-0123456789";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ SCRIBE_ENABLE_STUB: "true", OPENAI_MODELS: "gpt-4o-transcribe" });
}, 60_000);
afterAll(() => api.stop());

let counter = 0;
function form(fields: Record<string, string> = {}, file: BlobPart | null = soundOf(0.2 + counter++ / 1000)): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  if (file !== null) data.append("file", new Blob([file]), "speech.wav");
  return data;
}
const soundOf = (seconds: number) => makeWav({ seconds }) as Uint8Array<ArrayBuffer>;

type BlobPart = Uint8Array<ArrayBuffer> | string;
type Answer = Record<string, unknown>;

/** With the key in the path alone, as these services' clients have it. */
async function at(door: string, path: string, init: RequestInit = {}, key = api.key): Promise<[number, Answer]> {
  const response = await api.call(`/compat/${door}/${key}${path}`, { ...init, key: null });
  return [response.status, (await response.json()) as Answer];
}
const postNote = (body = form(), headers = {}) => at("notes", "/jobs", { method: "POST", body, headers });

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

describe("audio to notes", () => {
  test("OpenAI's key is nowhere to be read, and gone when the job has ended", async () => {
    const [status, { job_id: note }] = await postNote(form(), { "X-OpenAI-API-Key": PROVIDER_KEY });
    expect(status).toBe(200);
    const id = await idOf(note);
    const row = async () => (await api.db.pool.query("SELECT * FROM jobs WHERE id = $1", [id])).rows[0];
    const { engine, model, provider_account_encrypted: account } = await row();
    expect([engine, model]).toEqual(["openai", "gpt-4o-transcribe"]);
    expect(JSON.parse(api.db.secrets.decrypt(account))).toEqual({ apiKey: PROVIDER_KEY });
    expect(await found("canary7bird")).toEqual([]);
    await finish(api.db, id, [segment(0, "Good morning.")]);
    expect((await row()).provider_account_encrypted).toBeNull();
    expect((await at("notes", `/jobs/${note}`))[1]).toMatchObject({ status: "completed", transcript_available: true });
    expect(await found("canary7bird")).toEqual([]);
    // The word would have been found: it is looked for where it stands, too.
    await postNote(form({}, soundOf(0.9)), { "X-Request-Id": "canary7bird" });
    expect(await found("canary7bird")).toEqual(["log"]);
  });

  test("without such a key the models here do it", async () => {
    const [, { job_id: note }] = await postNote(form({ diarize: "True", later: "1" }));
    const { rows } = await api.db.pool.query("SELECT engine, options FROM jobs WHERE recording_id = $1", [note]);
    expect(rows).toMatchObject([{ engine: "onnx", options: { diarize: true } }]);
  });

  test("all of a job is gone after two hours, also where nobody has erased it yet", async () => {
    const [, { job_id: note }] = await postNote();
    const id = await idOf(note);
    const { rows } = await api.db.pool.query(
      "SELECT extract(epoch FROM erase_at - created_at)::float AS seconds, audio_key FROM jobs WHERE id = $1",
      [id],
    );
    expect(rows[0].seconds).toBeCloseTo(7_200, -1);
    await finish(api.db, id, [segment(0, "Good morning.")]);
    await api.db.pool.query("UPDATE jobs SET erase_at = now() - interval '1 second' WHERE id = $1", [id]);
    expect((await at("notes", `/jobs/${note}`))[0]).toBe(404);
    expect((await at("notes", `/jobs/${note}/download`))[0]).toBe(404);
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
    const [seen, { detail }] = await postNote(body, headers);
    expect([seen, typeof detail]).toEqual([status, "string"]);
    expect(await api.storedFiles()).toEqual(before);
  });

  test("a switch behind the file is read, and refused where it is wrong", async () => {
    const before = await api.storedFiles();
    const body = new FormData();
    body.append("file", new Blob([soundOf(0.3)]), "a.wav");
    body.append("diarize", "perhaps");
    expect((await postNote(body))[0]).toBe(400);
    expect(await api.storedFiles()).toEqual(before);
  });

  test("a provider that refuses its key fails the job, which says so", async () => {
    const [, { job_id: note }] = await postNote(form(), { "X-OpenAI-API-Key": "sk-wrong" });
    const error = { code: "provider_unauthorized", message: "OpenAI refused the key.", retryable: false };
    await api.db.pool.query("UPDATE jobs SET status = 'failed', error = $2, completed_at = now() WHERE id = $1", [
      ...[await idOf(note), JSON.stringify(error)],
    ]);
    expect((await at("notes", `/jobs/${note}`))[1]).toMatchObject({ status: "failed", error: error.message });
    expect(await at("notes", `/jobs/${note}/download`)).toEqual([
      400,
      { detail: expect.stringContaining(error.message) },
    ]);
  });

  test("ids of another service's form name nothing, on either side", async () => {
    const [, { job_id: note }] = await postNote();
    const [, { id }] = await at("storage", "/api/jobs", { method: "POST", body: form() });
    for (const path of [`/jobs/${id}`, `/jobs/${await idOf(note)}`, "/jobs/17", `/jobs/${id}/download`])
      expect((await at("notes", path))[0]).toBe(404);
    expect((await at("storage", `/api/jobs/${note}`))[0]).toBe(404);
    expect((await api.call(`/compat/saas/jobs/${note}`)).status).toBe(404);
    // What only has the form of one of these ids, and is a recording's of our own API, is none.
    await api.call("/api/v1/transcribe", {
      json: { url: "https://example.com/a.wav", recording_id: "0b7e1c3a-5d2f-4c6b-8a9d-1e2f3a4b5c6d" },
    });
    expect((await at("notes", "/jobs/0b7e1c3a-5d2f-4c6b-8a9d-1e2f3a4b5c6d"))[0]).toBe(404);
  });

  test("a job that was tried again goes on under its id", async () => {
    const [, { job_id: note }] = await postNote();
    const id = await idOf(note);
    await tenantJobs(api.db, (await ensureTenant(api.db, "default")).id).cancel(id);
    expect((await at("notes", `/jobs/${note}`))[1]).toMatchObject({ status: "failed" });
    expect((await api.call(`/api/v1/jobs/${id}/retry`, { method: "POST" })).status).toBe(202);
    expect((await at("notes", `/jobs/${note}`))[1]).toMatchObject({ status: "queued" });
  });
});

describe("keys in paths", () => {
  test("open what they are for, are in no log, and wrong ones open nothing", async () => {
    const wrong = `sr_wrong123_${"z".repeat(40)}`;
    expect(await at("notes", "/jobs/none", {}, wrong)).toEqual([401, { detail: expect.any(String) }]);
    expect((await at("storage", "/storage/stats"))[0]).toBe(403);
    await api.call(`/Compat/NOTES/${api.key}/jobs/none`, { key: null });
    await api.call(`/compat/nothing/${api.key}/jobs`, { key: null });
    for (const key of [api.key, wrong]) expect(api.log()).not.toContain(key);
    expect(api.log()).toContain("/compat/notes/***/jobs/none");
  });

  test("a key may stand in a header instead", async () => {
    expect((await api.call("/compat/storage/-/api/jobs", { method: "POST", body: form() })).status).toBe(200);
    expect((await api.call("/compat/storage/-/api/jobs", { method: "POST", body: form(), key: null })).status).toBe(
      401,
    );
  });
});

describe("the storage service", () => {
  const post = (json: object) =>
    at("storage", "/api/jobs", {
      method: "POST",
      body: JSON.stringify(json),
      headers: { "Content-Type": "application/json" },
    });

  test("takes an address, and names what it ignores", async () => {
    const response = await api.call("/compat/storage/-/api/jobs", {
      json: { url: "https://example.com/a.wav", mode: "dialogue", colour: "blue" },
    });
    expect([response.status, response.headers.get("x-ignored-fields")]).toEqual([200, "colour"]);
    const { id } = (await response.json()) as Answer;
    const { rows } = await api.db.pool.query("SELECT options FROM jobs WHERE id = $1", [id]);
    expect(rows[0].options).toMatchObject({ diarize: true });
  });

  test.each([
    ["no source", {}],
    ["two addresses", { url: "https://example.com/a.wav", audio_url: "https://example.com/b.wav" }],
    ["an address inside", { url: "http://169.254.169.254/latest" }],
    ["a mode that is none", { url: "https://example.com/a.wav", mode: "stereo" }],
  ])("%s is refused", async (_what, json) => {
    const [status, { detail }] = await post(json);
    expect([status, typeof detail]).toEqual([400, "string"]);
  });

  test("a file and an address, before the file or behind it, are one source too many", async () => {
    const before = await api.storedFiles();
    const behind = form();
    behind.append("url", "https://example.com/a.wav");
    for (const body of [form({ url: "https://example.com/a.wav" }), behind])
      expect((await at("storage", "/api/jobs", { method: "POST", body }))[0]).toBe(400);
    expect(await api.storedFiles()).toEqual(before);
  });
});

describe("the SaaS backend", () => {
  const json = async (path: string, body: object): Promise<[number, Answer]> => {
    const response = await api.call(`/compat/saas${path}`, { json: body });
    return [response.status, (await response.json()) as Answer];
  };
  const presign = async () => (await json("/files/presign", { filename: "a.wav" }))[1] as Record<string, string>;
  const put = (to: string, body: BlobPart = soundOf(0.5)) =>
    api.call(to.replace(api.url, ""), { method: "PUT", body, key: null });

  test("a file's bytes come once", async () => {
    const { upload_url: to = "", key } = await presign();
    expect((await put(to, "\u0000 no audio")).status).toBe(400);
    const statuses = await Promise.all([put(to), put(to)]).then((all) => all.map(({ status }) => status));
    expect(statuses.sort()).toEqual([200, 409]);
    expect((await put(to)).status).toBe(409);
    expect((await api.storedFiles()).filter((name) => name.includes(String(key))).length).toBeLessThanOrEqual(1);
  });

  test("an address that is not ours, or somebody else's, takes nothing", async () => {
    const { upload_url: to = "", key } = await presign();
    const { key: foreign } = await api.makeKey(["transcribe"], { tenant: "elsewhere" });
    expect((await put(to.replace(/signature=.*/, "signature=abc"))).status).toBe(403);
    const path = `/compat/saas/files/upload/${key}`;
    expect((await api.call(path, { method: "PUT", body: soundOf(0.5), key: foreign })).status).toBe(404);
    expect((await api.call(path, { method: "PUT", body: soundOf(0.5), key: null })).status).toBe(401);
    expect((await api.call(path, { method: "PUT", body: soundOf(0.5) })).status).toBe(200);
  });

  test.each([
    ["no source", {}],
    ["a file and an address", { storage_key: "a", url: "https://example.com/a.wav" }],
    ["two files", { storage_key: "a", key: "b" }],
    ["a mode that is none", { storage_key: "a", mode: "stereo" }],
  ])("a job of %s is refused", async (_what, body) => {
    expect((await json("/jobs", body))[0]).toBe(400);
  });

  test("a file that never came is not there", async () => {
    const { storage_key } = await presign();
    expect((await json("/jobs", { storage_key }))[0]).toBe(404);
    expect((await json("/jobs", { storage_key: "../../etc/passwd" }))[0]).toBe(404);
  });

  test("accounts are off where the operator says so", async () => {
    expect((await json("/auth/login", { email: "a@example.com", password: "x" }))[0]).toBe(503);
  });
});

describe("a text where somebody rehearses", () => {
  test("is accepted, and worked on as its own transcript", async () => {
    const [status, { job_id: note }] = await postNote(form({}, "Good morning.\nBye.\n"), {
      "X-OpenAI-API-Key": "sk-unused",
    });
    expect(status).toBe(200);
    const { rows } = await api.db.pool.query(
      "SELECT engine, provider_account_encrypted AS account FROM jobs WHERE recording_id = $1",
      [note],
    );
    expect(rows).toEqual([{ engine: "stub", account: null }]);
    const presigned = await api.call("/compat/saas/files/presign", { json: { filename: "a.txt" } });
    const { upload_url: to, storage_key } = (await presigned.json()) as Record<string, string>;
    await api.call(String(to).replace(api.url, ""), { method: "PUT", body: "Good morning.", key: null });
    const job = (await (await api.call("/compat/saas/jobs", { json: { storage_key } })).json()) as Answer;
    const { rows: made } = await api.db.pool.query("SELECT engine FROM jobs WHERE id = $1", [job.id]);
    expect(made).toEqual([{ engine: "stub" }]);
  });

  test("our own API knows no such thing", async () => {
    const response = await api.call("/api/v1/transcribe/upload", { method: "POST", body: form({}, "Good morning.") });
    expect(response.status).toBe(415);
  });
});

describe("a private network without keys", () => {
  let open: TestApi;
  beforeAll(async () => {
    open = await startTestApi({
      ...{ COMPAT_ANONYMOUS_TENANT: "house", TRUST_PROXY: "127.0.0.1", PUBLIC_URL: "https://speech.example.com/" },
    });
  }, 60_000);
  afterAll(() => open.stop());
  const from = { "X-Forwarded-For": "10.1.2.3" };
  const post = (headers: Record<string, string>, path = "/compat/notes/-/jobs") =>
    open.call(path, { method: "POST", body: form(), headers, key: null });

  test("acts as the tenant that the operator named, once it is there, with scope transcribe alone", async () => {
    expect((await post(from)).status).toBe(401);
    const { id: tenantId } = await ensureTenant(open.db, "house");
    expect((await post(from)).status).toBe(200);
    expect(await tenantJobs(open.db, tenantId).list({ limit: 5 })).toHaveLength(1);
    const stats = await open.call("/compat/storage/-/storage/stats", { headers: from, key: null });
    expect(stats.status).toBe(403);
    expect((await open.call("/compat/saas/jobs", { headers: from, key: null })).status).toBe(200);
    await open.db.pool.query("UPDATE tenants SET disabled_at = now() WHERE id = $1", [tenantId]);
    expect((await post(from)).status).toBe(401);
    await open.db.pool.query("UPDATE tenants SET disabled_at = NULL WHERE id = $1", [tenantId]);
  });

  test("is no way in for strangers, with a wrong key, or at other doors", async () => {
    await ensureTenant(open.db, "house");
    expect((await post({ "X-Forwarded-For": "203.0.113.9" })).status).toBe(401);
    expect((await post(from, `/compat/notes/sr_wrong123_${"z".repeat(40)}/jobs`)).status).toBe(401);
    for (const path of ["/api/v1/jobs", "/v1/models", "/runpod/v2/x/health"])
      expect((await open.call(path, { headers: from, key: null })).status).toBe(401);
  });

  test("is no way in for what an unknown proxy relays, whatever address it says", async () => {
    const closed = await startTestApi({ COMPAT_ANONYMOUS_TENANT: "house" });
    try {
      await ensureTenant(closed.db, "house");
      const jobs = (headers: Record<string, string>) => closed.call("/compat/saas/jobs", { headers, key: null });
      expect((await jobs({})).status).toBe(200);
      for (const address of ["10.1.2.3", "127.0.0.1", "203.0.113.9", "203.0.113.9, 10.1.2.3", "unknown"]) {
        for (const name of ["X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP"]) {
          expect([name, address, (await jobs({ [name]: address })).status]).toEqual([name, address, 401]);
        }
      }
      expect((await jobs({ Forwarded: "for=10.1.2.3" })).status).toBe(401);
      expect((await jobs({ Via: "1.1 somebody" })).status).toBe(401);
    } finally {
      await closed.stop();
    }
  }, 60_000);

  test("is no way in for further addresses that a stranger writes before the proxy's", async () => {
    await ensureTenant(open.db, "house");
    const jobs = (list: string) => open.call("/compat/saas/jobs", { headers: { "X-Forwarded-For": list }, key: null });
    expect((await jobs("10.1.2.3, 203.0.113.9")).status).toBe(401);
    expect((await jobs("203.0.113.9, 10.1.2.3")).status).toBe(200);
  });

  test("is no way in for pages of elsewhere, by their origin or by a name that leads here", async () => {
    await ensureTenant(open.db, "house");
    const status = (headers: Record<string, string>) =>
      new Promise<number | undefined>((done, failed) => {
        const { port } = new URL(open.url);
        const sent = { host: `127.0.0.1:${port}`, ...from, ...headers };
        // fetch sends neither a Host nor an Origin of one's own.
        request({ port, host: "127.0.0.1", path: "/compat/saas/jobs", headers: sent }, (response) => {
          response.resume();
          done(response.statusCode);
        })
          .once("error", failed)
          .end();
      });
    for (const host of [
      "127.0.0.1",
      "[::1]:8080",
      "localhost",
      "scribe",
      "scribe:8080",
      "scribe.speech.svc.cluster.local",
      "Speech.example.com",
    ])
      expect([host, await status({ host })]).toEqual([host, 200]);
    for (const host of [
      "evil.example",
      "10.0.0.1.nip.io",
      "local.evil.example",
      "xlocal.example:8080",
      "a b",
      "evil.example.",
    ])
      expect([host, await status({ host })]).toEqual([host, 401]);
    expect(await status({ origin: "https://evil.example" })).toBe(401);
    expect(await status({ origin: "null" })).toBe(401);
    expect(await status({ "sec-fetch-site": "cross-site" })).toBe(401);
    expect(await status({ host: "scribe", origin: "http://scribe" })).toBe(200);
  });

  test.each([
    ["10.0.0.1", true],
    ["172.31.255.255", true],
    ["172.32.0.1", false],
    ["::ffff:192.168.1.1", true],
    ["::ffff:8.8.8.8", false],
    ["fd00::1", true],
    ["2001:db8::1", false],
    ["", false],
  ])("%s is private: %p", (address, right) => {
    expect(isPrivate(address)).toBe(right);
  });
});
