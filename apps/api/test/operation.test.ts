import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestPostgres, waitFor } from "@scribe/testing";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";
import { postForm, wavPart } from "./uploads.ts";

describe("an API that is well", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi({ CORS_ORIGINS: "https://app.example" });
  }, 60_000);
  afterAll(() => api.stop());

  test("/health and /ready say so, to everybody, whatever a probe adds", async () => {
    const health = await api.call("/health?probe=1", { key: null });
    expect(health.status).toBe(200);
    expect(await health.json()).toEqual({
      ...{ status: "healthy", version: "0.1.0" },
      ...{ uptime: expect.any(Number), queue_size: expect.any(Number) },
    });
    const ready = await api.call("/ready", { key: null });
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: "ready", checks: { postgres: true, queue: true } },
    ]);
  });

  test("nothing tells what it is made of, and answers are no pages", async () => {
    const { headers } = await api.call("/api/v1/jobs");
    expect(headers.get("x-powered-by")).toBeNull();
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toBe("default-src 'none';frame-ancestors 'none'");
  });

  test("requests are measured by route, and no id becomes a label", async () => {
    await api.call("/api/v1/jobs/01900000-0000-7000-8000-000000000000");
    await api.call("/nowhere/at/all");
    const { key } = await api.makeKey(["admin"]);
    const text = await (await api.call("/metrics", { key })).text();
    expect(text).toMatch(/duration_seconds_count\{method="GET",route="\/api\/v1\/jobs\/\{id\}",status="404"\} 1/);
    expect(text).toContain('route="unmatched",status="404"');
    expect(text).not.toContain("01900000");
  });

  test("the log has a line a request, without keys and query", async () => {
    await api.call("/api/v1/jobs?recording_id=private", { headers: { "X-Request-Id": "in-the-log" } });
    const line = await waitFor(() =>
      api
        .log()
        .split("\n")
        .find((text) => text.includes("in-the-log")),
    );
    expect(JSON.parse(line)).toMatchObject({
      method: "GET",
      path: "/api/v1/jobs",
      status: 200,
      key: api.key.slice(3, 11),
    });
    expect(api.log()).not.toContain("private");
    expect(api.log()).not.toContain(api.key.slice(12));
  });

  test("browsers of listed origins may call, others are not told so", async () => {
    const preflight = (origin: string) =>
      api.call("/api/v1/jobs", {
        method: "OPTIONS",
        key: null,
        headers: { Origin: origin, "Access-Control-Request-Method": "POST" },
      });
    const listed = await preflight("https://app.example");
    expect(listed.status).toBe(204);
    expect(listed.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(listed.headers.get("access-control-allow-headers")).toContain("Authorization");
    expect(listed.headers.get("vary")).toContain("Origin");
    expect((await preflight("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull();
    const refused = await api.call("/api/v1/jobs", { key: null, headers: { Origin: "https://app.example" } });
    expect(refused.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(refused.headers.get("access-control-expose-headers")).toContain("X-Request-Id");
  });
});

describe("metrics without a key", () => {
  test("are on a port of their own", async () => {
    const api = await startTestApi({ METRICS_PORT: "0" });
    expect(api.api.metricsUrl).toBeNull();
    await api.stop();
  });
});

test("without Redis the API is degraded: it takes jobs, which wait", async () => {
  const api = await startTestApi({ REDIS_URL: "redis://127.0.0.1:1" });
  const ready = await api.call("/ready", { key: null });
  expect([ready.status, await ready.json()]).toEqual([
    200,
    { status: "degraded", checks: { postgres: true, queue: false } },
  ]);
  const response = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } });
  expect(response.status).toBe(202);
  const { job_id } = (await response.json()) as { job_id: string };
  expect((await api.call(`/api/v1/jobs/${job_id}/cancel`, { method: "POST" })).status).toBe(202);
  await api.stop();
}, 60_000);

test("without Postgres everything is 503 and worth another try, nothing is kept, and /health goes on", async () => {
  const server = await startTestPostgres({ alone: true });
  const api = await startTestApi({}, {}, server);
  await server.stop();
  const refused = async (response: Response) => {
    expect(response.headers.get("retry-after")).toBe("5");
    await expectProblem(response, 503, "service_unavailable");
  };
  await refused(await api.call("/api/v1/jobs"));
  await refused(await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } }));
  await refused(await postForm(api, [wavPart]));
  expect(await api.storedFiles()).toEqual([]);
  const ready = await api.call("/ready", { key: null });
  expect([ready.status, ready.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await ready.json()).toMatchObject({ status: "unavailable", checks: { postgres: false } });
  expect((await api.call("/health", { key: null })).status).toBe(200);
  await api.api.stop(1);
  await api.db.close();
}, 60_000);
