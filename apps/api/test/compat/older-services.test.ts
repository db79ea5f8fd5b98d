import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestApi, type TestApi } from "../start-test-api.ts";
import { type Answer, callAt, form, postNote, type Sound, soundOf } from "./older-bench.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ SCRIBE_ENABLE_STUB: "true" });
}, 60_000);
afterAll(() => api.stop());

describe("keys in paths", () => {
  test("open what they are for, are in no log, and wrong ones open nothing", async () => {
    const wrong = `sr_wrong123_${"z".repeat(40)}`;
    expect(await callAt(api, { door: "notes", path: "/jobs/none", key: wrong })).toEqual([
      401,
      { detail: expect.any(String) },
    ]);
    expect((await callAt(api, { door: "storage", path: "/storage/stats" }))[0]).toBe(403);
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
    callAt(api, {
      door: "storage",
      path: "/api/jobs",
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
      expect((await callAt(api, { door: "storage", path: "/api/jobs", method: "POST", body }))[0]).toBe(400);
    expect(await api.storedFiles()).toEqual(before);
  });
});

describe("the SaaS backend", () => {
  const json = async (path: string, body: object): Promise<[number, Answer]> => {
    const response = await api.call(`/compat/saas${path}`, { json: body });
    return [response.status, (await response.json()) as Answer];
  };
  const presign = async () => (await json("/files/presign", { filename: "a.wav" }))[1] as Record<string, string>;
  const put = (to: string, body: Sound = soundOf(0.5)) =>
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
    const [status, { job_id: note }] = await postNote(api, form({}, "Good morning.\nBye.\n"), {
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
