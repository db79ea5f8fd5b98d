import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ensureTenant, tenantUploads } from "@scribe/database";
import { generateWebhookSecret } from "@scribe/webhooks";
import { acceptedSchema } from "../src/http/accepted-view.ts";
import { jobSchema } from "../src/http/job-view.ts";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({
    PUBLIC_URL: "https://scribe.example/",
    SCRIBE_ENABLE_SYNTHETIC: "true",
    SCRIBE_MODELS: "/somewhere/models/other-model",
  });
}, 60_000);
afterAll(() => api.stop());

const url = "https://example.com/a.wav";
const PATH = "/api/v1/transcribe";
const countJobs = async () => Number((await api.db.pool.query("SELECT count(*) FROM jobs")).rows[0].count);

describe("a job that is accepted", () => {
  test("is committed when the answer comes, and says where it is", async () => {
    const response = await api.call(PATH, { json: { url, recording_id: "r-1", metadata: { a: 1, b: null } } });
    expect(response.status).toBe(202);
    const body = acceptedSchema.strict().parse(await response.json());
    const self = `https://scribe.example/api/v1/jobs/${body.job_id}`;
    expect(body.links).toEqual({ self, events: `${self}/events`, transcript: `${self}/transcript` });
    expect(response.headers.get("location")).toBe(self);
    expect(response.headers.get("cache-control")).toBe("no-store");

    const job = jobSchema.strict().parse(await (await api.call(`/api/v1/jobs/${body.job_id}`)).json());
    expect(job).toMatchObject({
      ...{ job_id: body.job_id, status: "pending", phase: "queued", progress: 0, attempts: 0 },
      ...{ recording_id: "r-1", metadata: { a: 1, b: null }, engine: "onnx", model: "whisper-nano.en" },
      ...{ created_at: body.created_at, started_at: null, completed_at: null, language: null, duration: null },
      queue: { position: 1, audio_seconds_ahead: 0 },
    });
  });

  test("keeps its options, webhook, trace and an encrypted secret", async () => {
    const secret = generateWebhookSecret();
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const json = {
      ...{ url, language: "EN", temperature: [0, 0.4], clip: { start: 1, end: 2 }, priority: "high" },
      ...{ webhook_url: "https://example.com/hook", webhook_events: ["job.completed"], webhook_secret: secret },
    };
    const response = await api.call(PATH, { json, headers: { traceparent } });
    const { job_id } = (await response.json()) as { job_id: string };
    const { rows } = await api.db.pool.query("SELECT * FROM jobs WHERE id = $1", [job_id]);
    expect(rows[0]).toMatchObject({
      ...{ priority: 1, traceparent, language: "en", source: { kind: "url", url } },
      ...{ options: { language: "en", temperature: [0, 0.4], clip: { start: 1, end: 2 } } },
      ...{ webhook_url: "https://example.com/hook", webhook_events: ["job.completed"], audio_seconds: 300 },
    });
    expect(rows[0].webhook_secret_encrypted).not.toContain(secret.slice(6));
    expect(api.db.secrets.decrypt(rows[0].webhook_secret_encrypted)).toBe(secret);
  });

  test.each([
    [
      { engine: "faster-whisper", model: "other-model" },
      { engine: "onnx", model: "other-model" },
    ],
    [{ engine: "synthetic" }, { engine: "synthetic", model: "whisper-nano.en" }],
  ])("%j", async (asked, got) => {
    const { job_id } = (await (await api.call(PATH, { json: { url, ...asked } })).json()) as { job_id: string };
    expect(await (await api.call(`/api/v1/jobs/${job_id}`)).json()).toMatchObject(got);
  });

  test("may name a stored upload of its tenant, and no other's", async () => {
    const [mine, theirs] = [await ensureTenant(api.db, "default"), await ensureTenant(api.db, "theirs")];
    const row = {
      ...{ state: "stored" as const, sizeBytes: 32_000, sha256: "ab".repeat(32), storageKey: "uploads/x/y/z" },
      expiresAt: new Date(Date.now() + 60_000),
    };
    const upload = await tenantUploads(api.db, mine.id).create(row);
    const response = await api.call(PATH, { json: { upload_id: upload.id } });
    expect(response.status).toBe(202);
    const { job_id } = (await response.json()) as { job_id: string };
    const { rows } = await api.db.pool.query("SELECT * FROM jobs WHERE id = $1", [job_id]);
    expect(rows[0]).toMatchObject({ audio_key: "uploads/x/y/z", audio_sha256: "ab".repeat(32), audio_seconds: 2 });

    const other = await tenantUploads(api.db, theirs.id).create(row);
    const late = await tenantUploads(api.db, mine.id).create({ ...row, expiresAt: new Date(Date.now() - 1) });
    for (const { id } of [other, late]) {
      await expectProblem(await api.call(PATH, { json: { upload_id: id } }), 404, "not_found");
    }
  });
});

describe("an Idempotency-Key", () => {
  const send = (key: string, json: object, tenantKey?: string) =>
    api.call(PATH, {
      json,
      headers: { "Idempotency-Key": key },
      ...(tenantKey === undefined ? {} : { key: tenantKey }),
    });

  test("answers the same input again, in whatever order its fields come, and makes one job", async () => {
    const before = await countJobs();
    const first = await send("k-1", { url, metadata: { a: 1, b: 2 } });
    const again = await send("k-1", { metadata: { b: 2, a: 1 }, url });
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(await again.json()).toEqual(await first.json());
    expect(await countJobs()).toBe(before + 1);
  });

  test("is 422 with another input", async () => {
    await send("k-2", { url });
    await expectProblem(await send("k-2", { url, language: "en" }), 422, "idempotency_mismatch");
  });

  test("answers again though what the job named is gone by now", async () => {
    const { key } = await api.makeKey(["transcribe", "manage"]);
    const lexicon = { name: "passing", rules: [{ find: "a", replace: "b" }] };
    expect((await api.call("/api/v1/lexicons", { key, json: lexicon })).status).toBe(201);
    const first = await send("k-6", { url, lexicon: "passing" });
    expect((await api.call("/api/v1/lexicons/passing", { key, method: "DELETE" })).status).toBe(204);
    const again = await send("k-6", { url, lexicon: "passing" });
    expect([again.status, await again.json()]).toEqual([202, await first.json()]);
  });

  test("is the tenant's own", async () => {
    const { key } = await api.makeKey(["transcribe"], { tenant: "other" });
    await send("k-3", { url });
    const other = await send("k-3", { url, language: "en" }, key);
    expect([other.status, other.headers.get("idempotency-replayed")]).toEqual([202, null]);
  });

  test("keeps no failure", async () => {
    await expectProblem(await send("k-4", { url, colour: "red" }), 400, "invalid_request");
    expect((await send("k-4", { url })).status).toBe(202);
  });

  test("makes one job of twenty posts at once", async () => {
    const before = await countJobs();
    const answers = await Promise.all(Array.from({ length: 20 }, () => send("k-5", { url })));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(202));
    const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { job_id: string }).job_id));
    expect(new Set(ids).size).toBe(1);
    expect(await countJobs()).toBe(before + 1);
  });
});
