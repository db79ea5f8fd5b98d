import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createKey, ensureTenant, updateTenant } from "@scribe/database";
import { expectProblem } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ RATE_LIMIT_READS: "6", RATE_LIMIT_CREATES: "3", RATE_LIMIT_ANONYMOUS: "5" });
}, 60_000);
afterAll(() => api.stop());

const clear = () => api.db.pool.query("TRUNCATE rate_hits");
const remaining = (response: Response) => Number(/r=(\d+)/.exec(response.headers.get("ratelimit") ?? "")?.[1]);
const read = (key: string) => api.call("/api/v1/jobs", { key });
const make = (key: string) => api.call("/api/v1/transcribe", { key, json: { url: "https://example.com/a.wav" } });

describe("a key", () => {
  test("reads as often as its budget says; then it is 429 and says when to come again", async () => {
    const { key } = await api.makeKey(["transcribe"]);
    for (let left = 5; left >= 0; left--) {
      const response = await read(key);
      expect([response.status, remaining(response)]).toEqual([200, left]);
      expect(response.headers.get("ratelimit-policy")).toMatch(/^"reads"; q=6; w=60; pk=:.+:$/);
    }
    const refused = await read(key);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    expect(remaining(refused)).toBe(0);
    await expectProblem(refused, 429, "rate_limited");
    // What it may create, and to stop what it made, is another matter.
    const made = await make(key);
    expect(made.status).toBe(202);
  });

  test("creates as often as its budget says, and reads on", async () => {
    const { key } = await api.makeKey(["transcribe"]);
    const ids: string[] = [];
    for (let at = 0; at < 3; at++) {
      const response = await make(key);
      expect(response.status).toBe(202);
      ids.push(((await response.json()) as { job_id: string }).job_id);
    }
    await expectProblem(await make(key), 429, "rate_limited");
    expect((await read(key)).status).toBe(200);
    expect((await api.call(`/api/v1/jobs/${ids[0]}/cancel`, { method: "POST", key })).status).toBe(202);
    expect((await api.call(`/api/v1/jobs/${ids[0]}`, { method: "DELETE", key })).status).toBe(204);
  });

  test("pays for what is only named as a stop is", async () => {
    const { key } = await api.makeKey(["transcribe", "manage"]);
    for (let at = 0; at < 3; at++) await make(key);
    const named = await api.call("/api/v1/lexicons/cancel", { method: "PUT", json: { hotwords: ["a"] }, key });
    await expectProblem(named, 429, "rate_limited");
  });

  test("refused requests count too, and a window that has ended counts no more", async () => {
    const { key } = await api.makeKey(["read"]);
    for (let at = 0; at < 8; at++) await read(key);
    expect((await read(key)).status).toBe(429);
    await api.db.pool.query("UPDATE rate_hits SET ends_at = now() - interval '1 second'");
    expect((await read(key)).status).toBe(200);
  });

  test("has limits of its own before its tenant's, and those before the instance's", async () => {
    const tenant = await ensureTenant(api.db, "limited");
    await updateTenant(api.db, tenant.id, { limits: { reads_per_minute: 2 } });
    const [plain, wide] = await Promise.all([
      createKey(api.db, { tenantId: tenant.id, name: "a", scopes: ["read"] }),
      createKey(api.db, { tenantId: tenant.id, name: "b", scopes: ["read"], limits: { reads_per_minute: 4 } }),
    ]);
    const allowed = async (key: string) => {
      let count = 0;
      while ((await read(key)).status === 200) count += 1;
      return count;
    };
    expect(await allowed(plain.key)).toBe(2);
    expect(await allowed(wide.key)).toBe(4);
  });

  test("loses nothing to those who know its public part only", async () => {
    const { key } = await api.makeKey(["read"]);
    const wrong = `${key.slice(0, 12)}${"x".repeat(40)}`;
    await clear();
    for (let at = 0; at < 8; at++) await read(wrong);
    expect(remaining(await read(key))).toBe(5);
  });
});

describe("whoever shows no valid key", () => {
  test("is counted by address, whatever it asks for; probes are not", async () => {
    await clear();
    const ask = (path: string, init = {}) => api.call(path, { key: null, ...init });
    for (const [path, status] of [
      ["/openapi.json", 200],
      ["/nowhere", 404],
      ["/api/v1/jobs", 401],
      ["/api/v1/jobs", 401],
      ["/api/v1/transcribe", 405],
    ] as const) {
      const response = await ask(path);
      expect([path, response.status]).toEqual([path, status]);
      expect(response.headers.get("ratelimit-policy")).toMatch(/^"anonymous"; q=5/);
    }
    await expectProblem(await ask("/openapi.json"), 429, "rate_limited");
    await expectProblem(await api.call("/api/v1/jobs", { key: "sr_wrong" }), 429, "rate_limited");
    for (const path of ["/health", "/ready"]) {
      const response = await ask(path);
      expect([response.status, response.headers.get("ratelimit")]).toEqual([200, null]);
    }
    // The same address with a key is not held up.
    expect((await read((await api.makeKey(["read"])).key)).status).toBe(200);
  });

  test("cannot choose another address by a header", async () => {
    await clear();
    for (let at = 0; at < 5; at++)
      await api.call("/nowhere", { key: null, headers: { "X-Forwarded-For": `9.9.9.${at}` } });
    const response = await api.call("/nowhere", { key: null, headers: { "X-Forwarded-For": "9.9.9.99" } });
    expect(response.status).toBe(429);
  });
});

test("where the store of counts is away, known keys pass, and others are told to come again", async () => {
  await clear();
  await api.db.pool.query("ALTER TABLE rate_hits RENAME TO away");
  try {
    const { key } = await api.makeKey(["read"]);
    for (let at = 0; at < 8; at++) expect((await read(key)).status).toBe(200);
    const refused = await api.call("/openapi.json", { key: null });
    expect(refused.headers.get("retry-after")).toBe("1");
    await expectProblem(refused, 503, "service_unavailable");
    const text = await (await api.call("/metrics", { key: ADMIN_KEY })).text();
    expect(text).toMatch(/scribe_http_uncounted_requests_total\{caller="key"\} 9/);
    expect(text).toMatch(/scribe_http_uncounted_requests_total\{caller="anonymous"\} 1/);
  } finally {
    await api.db.pool.query("ALTER TABLE away RENAME TO rate_hits");
  }
});

test("a store that hangs holds nobody up for longer than a moment", async () => {
  await clear();
  const { key } = await api.makeKey(["read"]);
  await read(key);
  const client = await api.db.pool.connect();
  try {
    await client.query("BEGIN; LOCK TABLE rate_hits IN ACCESS EXCLUSIVE MODE");
    const startedAt = performance.now();
    expect((await read(key)).status).toBe(200);
    expect((await api.call("/openapi.json", { key: null })).status).toBe(503);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
});

test("behind a proxy that is configured, callers are told apart by what it says", async () => {
  const behind = await startTestApi({ TRUST_PROXY: "127.0.0.0/8", RATE_LIMIT_ANONYMOUS: "2" });
  try {
    const ask = async (address: string) =>
      (await behind.call("/nowhere", { key: null, headers: { "X-Forwarded-For": address } })).status;
    expect([await ask("203.0.113.1"), await ask("203.0.113.1"), await ask("203.0.113.1")]).toEqual([404, 404, 429]);
    expect(await ask("203.0.113.2")).toBe(404);
    // An IPv6 network of one customer is one caller.
    expect([await ask("2001:db8:0:1::1"), await ask("2001:db8:0:1::2"), await ask("2001:db8:0:1::3")]).toEqual([
      ...[404, 404, 429],
    ]);
    // What the caller itself put before the proxy's word does not count.
    expect(await ask("198.51.100.9, 203.0.113.1")).toBe(429);
  } finally {
    await behind.stop();
  }
}, 60_000);
