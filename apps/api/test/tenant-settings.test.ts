import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ensureTenant, webhookSecrets } from "@scribe/database";
import { isWebhookSecret } from "@scribe/webhooks";
import { finish } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
}, 60_000);
afterAll(() => api.stop());

interface KeyAnswer {
  id: string;
  key: string;
  prefix: string;
  scopes: string[];
  expires_at: string | null;
  revoked_at: string | null;
}

describe("keys", () => {
  const make = async (json: object, key = ADMIN_KEY) => await api.call("/api/v1/keys", { json, key });

  test("a key is made, shown once, listed without its secret, and revoked at once", async () => {
    const response = await make({ name: "ci", scopes: ["transcribe"], expires_at: "2100-01-01T00:00:00Z" });
    expect(response.status).toBe(201);
    const made = (await response.json()) as KeyAnswer;
    expect(made).toMatchObject({ scopes: ["transcribe"], expires_at: "2100-01-01T00:00:00.000Z", revoked_at: null });
    expect(made.key.startsWith(`${made.prefix}_`)).toBe(true);
    expect((await api.call("/api/v1/jobs", { key: made.key })).status).toBe(200);

    const list = await (await api.call("/api/v1/keys", { key: ADMIN_KEY })).text();
    expect(list).toContain(made.id);
    expect(list).not.toContain(made.key.split("_")[2]);

    expect((await api.call(`/api/v1/keys/${made.id}`, { method: "DELETE", key: ADMIN_KEY })).status).toBe(204);
    await expectProblem(await api.call("/api/v1/jobs", { key: made.key }), 401, "unauthorized");
    const again = await api.call(`/api/v1/keys/${made.id}`, { method: "DELETE", key: ADMIN_KEY });
    await expectProblem(again, 404, "not_found");
    const { rows } = await api.db.pool.query("SELECT action, actor FROM audit WHERE target = $1 ORDER BY at", [
      made.id,
    ]);
    expect(rows).toEqual(["key.created", "key.revoked"].map((action) => ({ action, actor: "admin123" })));
  });

  test("a key never grants what it lacks", async () => {
    const { key } = await api.makeKey(["manage"]);
    for (const scope of ["admin", "transcribe", "read"]) {
      await expectProblem(await make({ name: "x", scopes: ["manage", scope] }, key), 403, "forbidden");
    }
    expect((await make({ name: "x", scopes: ["manage"] }, key)).status).toBe(201);
    const both = (await api.makeKey(["transcribe", "manage"])).key;
    // `transcribe` implies `read`.
    expect((await make({ name: "x", scopes: ["read"] }, both)).status).toBe(201);
    await expectProblem(await make({ name: "x", scopes: ["read"] }, api.key), 403, "forbidden");
  });

  test("another tenant's key is neither seen nor revoked", async () => {
    const { id } = await api.makeKey(["read"], { tenant: "theirs" });
    const response = await api.call(`/api/v1/keys/${id}`, { method: "DELETE", key: ADMIN_KEY });
    await expectProblem(response, 404, "not_found");
    expect(await (await api.call("/api/v1/keys", { key: ADMIN_KEY })).text()).not.toContain(id);
  });

  test.each([
    [{ scopes: ["read"] }, "name"],
    [{ name: "", scopes: ["read"] }, "name"],
    [{ name: "x", scopes: [] }, "scopes"],
    [{ name: "x", scopes: ["root"] }, "scopes.0"],
    [{ name: "x", scopes: ["read"], expires_at: "2001-01-01T00:00:00Z" }, "expires_at"],
    [{ name: "x", scopes: ["read"], limits: 5 }, "limits"],
  ])("%j is 400", async (json, path) => {
    expect(paths(await expectProblem(await make(json), 400, "invalid_request"))).toEqual([path]);
  });

  test("an Idempotency-Key is refused: its record would hold the key", async () => {
    const headers = { "Idempotency-Key": "k" };
    const response = await api.call("/api/v1/keys", { json: { name: "x", scopes: ["read"] }, key: ADMIN_KEY, headers });
    expect(paths(await expectProblem(response, 400, "invalid_request"))).toEqual(["Idempotency-Key"]);
  });
});

describe("webhooks", () => {
  test("the tenant's own secret is shown to who may manage", async () => {
    const response = await api.call("/api/v1/webhooks/secret", { key: ADMIN_KEY });
    expect(response.headers.get("cache-control")).toBe("no-store");
    const { secret } = (await response.json()) as { secret: string };
    expect(isWebhookSecret(secret)).toBe(true);
    expect([secret]).toEqual(await webhookSecrets(api.db, (await ensureTenant(api.db, "default")).id));
    const { key } = await api.makeKey(["manage"], { tenant: "theirs" });
    expect(await (await api.call("/api/v1/webhooks/secret", { key })).json()).not.toEqual({ secret });
    await expectProblem(await api.call("/api/v1/webhooks/secret"), 403, "forbidden");
  });

  test("deliveries are listed by job and status, and are the tenant's own", async () => {
    const json = { url: "https://example.com/a.wav", webhook_url: "https://example.com/hook" };
    const { job_id } = (await (await api.call("/api/v1/transcribe", { json })).json()) as { job_id: string };
    await finish(api.db, job_id, []);
    const { data } = (await (await api.call(`/api/v1/webhooks/deliveries?job_id=${job_id}`)).json()) as {
      data: object[];
    };
    expect(data).toEqual([
      expect.objectContaining({
        job_id,
        type: "job.completed",
        url: json.webhook_url,
        status: "pending",
        attempts: [],
      }),
    ]);
    expect(JSON.stringify(data)).not.toContain("secret");
    expect(await (await api.call("/api/v1/webhooks/deliveries?status=failed")).json()).toEqual({ data: [] });

    const { key } = await api.makeKey(["read"], { tenant: "theirs" });
    expect(await (await api.call("/api/v1/webhooks/deliveries", { key })).json()).toEqual({ data: [] });
    await expectProblem(await api.call(`/api/v1/webhooks/deliveries?job_id=${job_id}`, { key }), 404, "not_found");
    const wrong = await api.call("/api/v1/webhooks/deliveries?status=lost");
    expect(paths(await expectProblem(wrong, 400, "invalid_request"))).toEqual(["status"]);
  });
});

test("models: those that are offered, with the default and how many workers hold each", async () => {
  await api.db.pool.query(
    "INSERT INTO workers (id, roles, slots, models, version) VALUES ('w', '{transcription}', 1, '{whisper-nano.en}', '0')",
  );
  const { models } = (await (await api.call("/api/v1/models")).json()) as { models: object[] };
  expect(models).toEqual([
    expect.objectContaining({ id: "whisper-nano.en", engine: "onnx", language: "en", loaded_on: 1, default: true }),
  ]);
});
