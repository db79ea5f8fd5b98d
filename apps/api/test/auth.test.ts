import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { findKey, revokeKey } from "@scribe/database";
import { waitFor } from "@scribe/testing";
import { expectProblem } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
}, 60_000);
afterAll(() => api.stop());

describe("a caller is known by its key alone", () => {
  test.each([
    ["no key", {}],
    ["another scheme", { Authorization: "Basic c3I6c3I=" }],
    ["an empty bearer", { Authorization: "Bearer " }],
    ["what is no key", { Authorization: "Bearer hello" }],
    ["a key that nobody has", { Authorization: `Bearer sr_nobody12_${"x".repeat(40)}` }],
    ["a key with NUL-like characters", { "X-API-Key": "sr_\u00ff\u00ff" }],
  ])("%s is 401 and says how to ask", async (_what, headers) => {
    const response = await api.call("/api/v1/jobs", { key: null, headers: headers as Record<string, string> });
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    await expectProblem(response, 401, "unauthorized");
  });

  test("a right public part with a wrong secret is 401", async () => {
    const wrong = api.key.slice(0, -1) + (api.key.endsWith("A") ? "B" : "A");
    await expectProblem(await api.call("/api/v1/jobs", { key: wrong }), 401, "unauthorized");
  });

  test("a key in the query string is no key", async () => {
    await expectProblem(await api.call(`/api/v1/jobs?api_key=${api.key}`, { key: null }), 401, "unauthorized");
  });

  test("X-API-Key does as well as a bearer", async () => {
    const response = await api.call("/api/v1/jobs", { key: null, headers: { "X-API-Key": api.key } });
    expect(response.status).toBe(200);
  });

  test("an expired key is 401", async () => {
    const { key } = await api.makeKey(["read"], { expiresAt: new Date(Date.now() - 1000) });
    const problem = await expectProblem(await api.call("/api/v1/jobs", { key }), 401, "unauthorized");
    expect(problem.detail).toContain("expired");
  });

  test("a key that is revoked is refused from the next request on", async () => {
    const { key, id } = await api.makeKey(["read"], { tenant: "revoking" });
    expect((await api.call("/api/v1/jobs", { key })).status).toBe(200);
    const row = await findKey(api.db, key.slice(3, 11));
    await revokeKey(api.db, row!.tenantId, id);
    await expectProblem(await api.call("/api/v1/jobs", { key }), 401, "unauthorized");
  });

  test("the keys of a disabled tenant open nothing", async () => {
    const { key } = await api.makeKey(["read"], { tenant: "disabled" });
    await api.db.pool.query("UPDATE tenants SET disabled_at = now() WHERE name = 'disabled'");
    await expectProblem(await api.call("/api/v1/jobs", { key }), 401, "unauthorized");
  });

  test("its last use is written", async () => {
    const { key } = await api.makeKey(["read"]);
    await api.call("/api/v1/jobs", { key });
    await waitFor(async () => (await findKey(api.db, key.slice(3, 11)))?.lastUsedAt, { what: "last_used_at" });
  });
});

describe("a key opens what its scopes say", () => {
  test("`read` reads, and creates nothing", async () => {
    const { key } = await api.makeKey(["read"]);
    expect((await api.call("/api/v1/jobs", { key })).status).toBe(200);
    const problem = await expectProblem(
      await api.call("/api/v1/transcribe", { key, json: { url: "https://example.com/a.wav" } }),
      403,
      "forbidden",
    );
    expect(problem.detail).toContain("transcribe");
  });

  test("`manage` alone does not read jobs", async () => {
    const { key } = await api.makeKey(["manage"]);
    await expectProblem(await api.call("/api/v1/jobs", { key }), 403, "forbidden");
    expect((await api.call("/api/v1/keys", { key })).status).toBe(200);
  });

  test("metrics need `admin`; the operator's first key has it", async () => {
    await expectProblem(await api.call("/metrics"), 403, "forbidden");
    await expectProblem(await api.call("/metrics", { key: null }), 401, "unauthorized");
    const response = await api.call("/metrics", { key: ADMIN_KEY });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("scribe_http_request_duration_seconds_bucket");
  });
});
