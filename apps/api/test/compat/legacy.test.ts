import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createKey, ensureTenant } from "@scribe/database";
import { startReceiver } from "@scribe/testing";
import { claim, finish, segment } from "../drive-jobs.ts";
import { startTestApi, type TestApi } from "../start-test-api.ts";
import { postForm, wavPart } from "../uploads.ts";

const SECRET = "what older receivers know";

let api: TestApi;
let key: string;
beforeAll(async () => {
  api = await startTestApi({ IVRIT_WEBHOOK_SECRET: SECRET, ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8" });
  const { id: tenantId } = await ensureTenant(api.db, "default");
  const made = {
    tenantId,
    name: "older",
    scopes: ["transcribe"] as const,
    profile: "legacy",
    webhookFormat: "legacy" as const,
  };
  ({ key } = await createKey(api.db, made));
}, 60_000);
afterAll(() => api.stop());

const json = async (response: Response) => (await response.json()) as Record<string, unknown>;
const submit = async (body: object) =>
  await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav", ...body }, key });

describe("a key of the older service's callers", () => {
  test("a job answers 200, in Hebrew where nothing is said", async () => {
    const response = await submit({ some_old_switch: true });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-ignored-fields")).toBe("some_old_switch");
    const body = await json(response);
    expect(Object.keys(body).sort()).toEqual(["created_at", "job_id", "message", "status"]);
    const { rows } = await api.db.pool.query("SELECT language FROM jobs WHERE id = $1", [body.job_id]);
    expect(rows).toEqual([{ language: "he" }]);
  });

  test("an upload, too", async () => {
    const response = await postForm(api, [{ name: "old_field", value: "1" }, wavPart], { key });
    expect(response.status).toBe(200);
    const { rows } = await api.db.pool.query("SELECT language FROM jobs WHERE id = $1", [
      (await json(response)).job_id,
    ]);
    expect(rows).toEqual([{ language: "he" }]);
  });

  test("segments have a list of speakers, an error is a text, and DELETE says what it did", async () => {
    const { job_id: id } = await json(await submit({ language: "en" }));
    await finish(api.db, String(id), [segment(0, "Good morning.")]);
    const view = await json(await api.call(`/api/v1/jobs/${id}`, { key }));
    expect(view).toMatchObject({
      status: "completed",
      result: { segments: [{ text: "Good morning.", speakers: [] }] },
    });
    const deleted = await api.call(`/api/v1/jobs/${id}`, { method: "DELETE", key });
    expect([deleted.status, await json(deleted)]).toEqual([200, { message: "Job deleted successfully" }]);
    const { job_id: other } = await json(await submit({}));
    const error = { code: "unsupported_audio", message: "No audio.", retryable: false };
    await api.db.pool.query("UPDATE jobs SET status = 'failed', error = $2 WHERE id = $1", [
      other,
      JSON.stringify(error),
    ]);
    expect(await json(await api.call(`/api/v1/jobs/${other}`, { key }))).toMatchObject({ error: "No audio." });
  });

  test("other keys are told as ever", async () => {
    const response = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } });
    expect(response.status).toBe(202);
    const unknown = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav", old: 1 } });
    expect(unknown.status).toBe(400);
  });

  test("enhanced-ai reads the older switches", async () => {
    const response = await api.call("/api/v1/enhanced-ai", {
      json: { text: "Hello.", enable_summarization: true, llm_model: "gpt", temperature: 0.3, custom_prompt: "Why?" },
      key,
    });
    // No endpoint is configured here: what came was understood, and the setting that lacks is named.
    expect(response.status).toBe(503);
    expect(response.headers.get("x-ignored-fields")).toBe("llm_model, temperature");
  });
});

describe("webhooks in the older form", () => {
  test("start and end, signed over the raw bytes with the secret that receivers know", async () => {
    const { job_id: id } = await json(
      await submit({ webhook_url: "https://example.com/hook", recording_id: "הקלטה", language: "en" }),
    );
    await finish(api.db, String(id), [segment(0, "שלום.")]);
    const { rows } = await api.db.pool.query<{ type: string; body: string; secret: string }>(
      "SELECT type, body, secret_encrypted AS secret FROM webhook_deliveries WHERE job_id = $1 ORDER BY created_at, id",
      [id],
    );
    expect(rows.map(({ type }) => type)).toEqual(["job.started", "job.completed"]);
    expect(rows[0]?.body).toBe(
      '{"recording_id": "\\u05d4\\u05e7\\u05dc\\u05d8\\u05d4", "status": "transcribing", "timestamp": null}',
    );
    expect(JSON.parse(rows[1]?.body ?? "")).toMatchObject({
      status: "transcribed",
      transcription: { text: "שלום.", segments: [{ speakers: [] }] },
    });
    expect(rows.map(({ secret }) => api.db.secrets.decrypt(secret))).toEqual([SECRET, SECRET]);
  });

  test("a test webhook, where it was", async () => {
    const receiver = await startReceiver();
    try {
      const path = `/api/v1/webhook/test?webhook_url=${encodeURIComponent(receiver.url)}`;
      expect(await json(await api.call(path, { method: "POST", key }))).toEqual({
        ...{ success: true, message: "Webhook delivered", status_code: 200 },
      });
      const [request] = receiver.requests;
      expect(request?.headers["x-webhook-signature"]).toMatch(/^[0-9a-f]{64}$/);
    } finally {
      await receiver.stop();
    }
  });

  test("a failed job is told as failed", async () => {
    const { job_id: id } = await json(await submit({ webhook_url: "https://example.com/hook" }));
    await claim(api.db, String(id));
    await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST", key });
    const { rows } = await api.db.pool.query<{ body: string }>(
      "SELECT body FROM webhook_deliveries WHERE job_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1",
      [id],
    );
    expect(rows[0]?.body).toBe(
      `{"error": "The job was cancelled.", "recording_id": "${id}", "status": "transcription_failed", "timestamp": null}`,
    );
    expect(
      createHmac("sha256", SECRET)
        .update(rows[0]?.body ?? "")
        .digest("hex"),
    ).toMatch(/^[0-9a-f]{64}$/);
  });
});
