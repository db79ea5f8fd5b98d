import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ensureTenant, heartbeat, tenantUploads } from "@scribe/database";
import { finishForCache, IDENTITIES } from "./drive-jobs.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";
import { postForm, wav, wavPart } from "./uploads.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  const worker = { id: "w", roles: ["transcription"], slots: 1, models: [], version: "1" };
  await heartbeat(api.db, { ...worker, identities: IDENTITIES });
});
afterAll(() => api.stop());

async function upload(sha256: string, tenant = "default"): Promise<string> {
  const { id: tenantId } = await ensureTenant(api.db, tenant);
  const storageKey = `audio/${tenantId}/${randomBytes(8).toString("hex")}/source`;
  const expiresAt = new Date(Date.now() + 60_000);
  return (
    await tenantUploads(api.db, tenantId).create({ state: "stored", sizeBytes: 16_000, sha256, storageKey, expiresAt })
  ).id;
}

const newHash = () => randomBytes(32).toString("hex");

interface Accepted {
  job_id: string;
  status: string;
  message: string;
}

async function post(json: object, key?: string): Promise<Accepted> {
  const response = await api.call("/api/v1/transcribe", { json, ...(key === undefined ? {} : { key }) });
  expect(response.status).toBe(202);
  return (await response.json()) as Accepted;
}

/** A completed job, whose result a worker with these models computed. */
async function original(sha256: string, options = {}): Promise<string> {
  const { job_id: id, status } = await post({ upload_id: await upload(sha256), ...options });
  expect(status).toBe("pending");
  await finishForCache(api.db, id);
  return id;
}

const read = async (id: string) => (await (await api.call(`/api/v1/jobs/${id}`)).json()) as Record<string, never>;

test("an upload whose result is there is completed when it is accepted", async () => {
  const sha256 = newHash();
  const first = await original(sha256);
  const hook = { webhook_url: "https://example.com/hook", webhook_events: ["job.started", "job.completed"] };
  const accepted = await post({ upload_id: await upload(sha256), recording_id: "again", ...hook });
  expect(accepted).toMatchObject({ status: "completed", message: expect.stringContaining("earlier") });
  const [job, before] = [await read(accepted.job_id), await read(first)];
  expect(job).toMatchObject({ status: "completed", progress: 100, recording_id: "again", duration: 8, attempts: 0 });
  expect(job.result).toEqual({ ...(before.result as object), cached: true });
  const { rows } = await api.db.pool.query(
    "SELECT ordinal, type, data->>'status' AS status FROM job_events WHERE job_id = $1 ORDER BY 1",
    [accepted.job_id],
  );
  expect(rows.map(({ type, status }) => status ?? type)).toEqual([
    ...["pending", "processing", "segment", "segment", "completed", "completed"],
  ]);
  expect(rows.map(({ ordinal }) => ordinal)).toEqual([1, 2, 3, 4, 5, 6]);
  const deliveries = await api.db.pool.query("SELECT type FROM webhook_deliveries WHERE job_id = $1 ORDER BY 1", [
    accepted.job_id,
  ]);
  expect(deliveries.rows.map(({ type }) => type)).toEqual(["job.completed", "job.started"]);
});

describe("bytes that came in any way", () => {
  beforeAll(async () => {
    const { job_id: id } = (await (await postForm(api, [wavPart])).json()) as Accepted;
    await finishForCache(api.db, id);
  });
  const size = String(wav.length);

  test("a form", async () => {
    expect(await (await postForm(api, [wavPart])).json()).toMatchObject({ status: "completed" });
  });

  test("an address of ours, where they have passed through here", async () => {
    const json = { filename: "a.wav", size: wav.length };
    const to = (await (await api.call("/api/v1/files/presign", { json })).json()) as { upload_id: string; url: string };
    expect((await fetch(to.url, { method: "PUT", body: wav as Uint8Array<ArrayBuffer> })).status).toBe(204);
    expect((await api.call("/api/v1/files/complete", { json: { upload_id: to.upload_id } })).status).toBe(200);
    expect(await post({ upload_id: to.upload_id })).toMatchObject({ status: "completed" });
  });

  test("parts that can be resumed", async () => {
    const tus = { "Tus-Resumable": "1.0.0" };
    const begun = await api.call("/api/v1/files/tus", { method: "POST", headers: { ...tus, "Upload-Length": size } });
    const location = begun.headers.get("location")!;
    const bytes = { ...tus, "Content-Type": "application/offset+octet-stream" };
    for (const [from, to] of [
      [0, 1000],
      [1000, wav.length],
    ] as const) {
      const headers = { ...bytes, "Upload-Offset": String(from) };
      const body = wav.subarray(from, to) as Uint8Array<ArrayBuffer>;
      expect((await api.call(location, { method: "PATCH", headers, body })).status).toBe(204);
    }
    expect(await post({ upload_id: location.split("/").at(-1) })).toMatchObject({ status: "completed" });
  });
});

test("equal posts with one key make one job, completed as it was", async () => {
  const sha256 = newHash();
  await original(sha256);
  const json = { upload_id: await upload(sha256) };
  const headers = { "Idempotency-Key": "cached" };
  const answers = [];
  for (let n = 0; n < 2; n++) {
    answers.push(await (await api.call("/api/v1/transcribe", { json, headers })).json());
  }
  expect(answers[0]).toMatchObject({ status: "completed" });
  expect(answers[1]).toEqual(answers[0]);
});

test.each<[string, object]>([
  ["`cache: false`", { cache: false }],
  ["another option", { beam_size: 2 }],
  ["speakers", { diarize: true }],
])("%s is worked on", async (_, options) => {
  const sha256 = newHash();
  await original(sha256);
  expect(await post({ upload_id: await upload(sha256), ...options })).toMatchObject({ status: "pending" });
});

test("another audio, and another tenant's, are worked on", async () => {
  const sha256 = newHash();
  await original(sha256);
  expect(await post({ upload_id: await upload(newHash()) })).toMatchObject({ status: "pending" });
  const { key } = await api.makeKey(["transcribe"], { tenant: "other" });
  expect(await post({ upload_id: await upload(sha256, "other") }, key)).toMatchObject({ status: "pending" });
});

test("what was erased answers nobody", async () => {
  const sha256 = newHash();
  const first = await original(sha256);
  const copy = await post({ upload_id: await upload(sha256) });
  expect(copy.status).toBe("completed");
  expect((await api.call(`/api/v1/jobs/${first}`, { method: "DELETE" })).status).toBe(204);
  expect(await post({ upload_id: await upload(sha256) })).toMatchObject({ status: "pending" });
});
