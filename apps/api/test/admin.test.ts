import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { findKey } from "@scribe/database";
import { claim, finish, segment } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ MAX_DAILY_AUDIO_SECONDS: "1000" });
}, 60_000);
afterAll(() => api.stop());

const admin = async (path: string, json?: object, method?: string) =>
  await api.call(`/api/v1${path}`, { key: ADMIN_KEY, ...(json && { json }), ...(method && { method }) });
const body = async <T>(response: Response) => (await response.json()) as T;

interface TenantAnswer {
  id: string;
  name: string;
  limits: object;
  disabled_at: string | null;
}

describe("tenants", () => {
  test("are made, listed page by page, limited, disabled and enabled again", async () => {
    const response = await admin("/admin/tenants", { name: "acme", limits: { concurrent_jobs: 2 } });
    expect(response.status).toBe(201);
    const made = await body<TenantAnswer>(response);
    expect(made).toMatchObject({ name: "acme", limits: { concurrent_jobs: 2 }, disabled_at: null });
    await expectProblem(await admin("/admin/tenants", { name: "acme" }), 409, "conflict");

    const names: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: { data: TenantAnswer[]; next_cursor: string | null } = await body(
        await admin(`/admin/tenants?limit=1${cursor && `&cursor=${cursor}`}`),
      );
      names.push(...page.data.map(({ name }) => name));
      cursor = page.next_cursor;
    }
    expect(names).toEqual(["default", "acme"]);

    const { key } = await body<{ key: string }>(
      await admin("/admin/api-keys", { tenant_id: made.id, name: "k", scopes: ["transcribe"] }),
    );
    expect((await api.call("/api/v1/jobs", { key })).status).toBe(200);
    const patch = (json: object) => admin(`/admin/tenants/${made.id}`, json, "PATCH");
    expect(await body(await patch({ disabled: true, limits: {} }))).toMatchObject({
      ...{ limits: {}, disabled_at: expect.any(String) },
    });
    await expectProblem(await api.call("/api/v1/jobs", { key }), 401, "unauthorized");
    expect(await body(await patch({ disabled: false }))).toMatchObject({ disabled_at: null });
    expect((await api.call("/api/v1/jobs", { key })).status).toBe(200);
  });

  test("an Idempotency-Key is refused rather than forgotten", async () => {
    const headers = { "Idempotency-Key": "k" };
    const response = await api.call("/api/v1/admin/tenants", { json: { name: "twice" }, key: ADMIN_KEY, headers });
    expect(paths(await expectProblem(response, 400, "invalid_request"))).toEqual(["Idempotency-Key"]);
  });

  test("nobody locks himself out, and what is not there is 404", async () => {
    const row = await findKey(api.db, ADMIN_KEY.slice(3, 11));
    const own = await admin(`/admin/tenants/${row?.tenantId}`, { disabled: true }, "PATCH");
    await expectProblem(own, 409, "conflict");
    const nowhere = await admin("/admin/tenants/01900000-0000-7000-8000-000000000000", { disabled: true }, "PATCH");
    await expectProblem(nowhere, 404, "not_found");
    await expectProblem(await admin("/admin/tenants/x", {}, "PATCH"), 404, "not_found");
  });

  test.each([
    [{ name: "" }, "name"],
    [{ name: "x", limits: { concurrent_jobs: 0 } }, "limits.concurrent_jobs"],
    [{ name: "x", limits: { jobs: 1 } }, "limits.jobs"],
  ])("%j is 400", async (json, path) => {
    expect(paths(await expectProblem(await admin("/admin/tenants", json), 400, "invalid_request"))).toEqual([path]);
  });
});

describe("keys of any tenant", () => {
  test("are made, listed and revoked; none grants what the caller lacks", async () => {
    const tenant = await body<TenantAnswer>(await admin("/admin/tenants", { name: "keys" }));
    const make = (scopes: string[], tenant_id = tenant.id, key = ADMIN_KEY) =>
      api.call("/api/v1/admin/api-keys", { json: { tenant_id, name: "k", scopes }, key });
    const made = await body<{ id: string; key: string; tenant_id: string }>(await make(["transcribe"]));
    expect(made.tenant_id).toBe(tenant.id);
    const list = await (await admin(`/admin/api-keys?tenant_id=${tenant.id}`)).text();
    expect(list).toContain(made.id);
    expect(list).not.toContain(made.key.slice(12));

    const bare = (await api.makeKey(["admin"])).key;
    await expectProblem(await make(["transcribe"], tenant.id, bare), 403, "forbidden");
    expect((await make(["admin"], tenant.id, bare)).status).toBe(201);
    await expectProblem(await make(["read"], "01900000-0000-7000-8000-000000000000"), 404, "not_found");

    expect((await admin(`/admin/api-keys/${made.id}`, undefined, "DELETE")).status).toBe(204);
    await expectProblem(await api.call("/api/v1/jobs", { key: made.key }), 401, "unauthorized");
    await expectProblem(await admin(`/admin/api-keys/${made.id}`, undefined, "DELETE"), 404, "not_found");
  });
});

describe("rotation of the own keys", () => {
  test("the new key works at once, the old one until its overlap ends", async () => {
    const { id, key } = await api.makeKey(["transcribe"]);
    const rotate = (json: object, of = id, by = ADMIN_KEY) => api.call(`/api/v1/keys/${of}/rotate`, { json, key: by });
    const first = await rotate({});
    expect(first.status).toBe(201);
    const made = await body<{ id: string; key: string; scopes: string[]; replaces: { expires_at: string } }>(first);
    expect(made.scopes).toEqual(["transcribe"]);
    expect(Date.parse(made.replaces.expires_at) - Date.now()).toBeGreaterThan(86_000_000);
    for (const each of [key, made.key]) expect((await api.call("/api/v1/jobs", { key: each })).status).toBe(200);

    expect((await rotate({ overlap_seconds: 0 }, made.id)).status).toBe(201);
    await expectProblem(await api.call("/api/v1/jobs", { key: made.key }), 401, "unauthorized");
    await expectProblem(await rotate({}, made.id), 409, "conflict");
    for (const overlap_seconds of [-1, 2_592_001]) {
      expect(paths(await expectProblem(await rotate({ overlap_seconds }), 400, "invalid_request"))).toEqual([
        "overlap_seconds",
      ]);
    }
    expect((await rotate({ overlap_seconds: 2_592_000 })).status).toBe(201);
  });

  test("is no way to a scope that the caller lacks", async () => {
    const { key } = await api.makeKey(["manage"]);
    const row = await findKey(api.db, ADMIN_KEY.slice(3, 11));
    const response = await api.call(`/api/v1/keys/${row?.id}/rotate`, { json: {}, key });
    await expectProblem(response, 403, "forbidden");
  });

  test("nor are limits of a new key above the own ones", async () => {
    const { key } = await api.makeKey(["manage"]);
    const make = (limits: object) => api.call("/api/v1/keys", { json: { name: "x", scopes: ["manage"], limits }, key });
    expect((await make({ reads_per_minute: 1_000_000 })).status).toBe(201);
    await expectProblem(await make({ reads_per_minute: 1_000_001 }), 403, "forbidden");
    await expectProblem(await make({ event_streams: 101 }), 403, "forbidden");
  });
});

test("the audit log says who did what, when and from where, and is read in pages", async () => {
  const { id } = await body<TenantAnswer>(await admin("/admin/tenants", { name: "audited" }));
  await admin(`/admin/tenants/${id}`, { limits: { daily_audio_seconds: 5 } }, "PATCH");
  const first = await body<{ data: Record<string, unknown>[]; next_cursor: string }>(
    await admin(`/admin/audit?tenant_id=${id}&limit=1`),
  );
  expect(first.data).toEqual([
    {
      ...{ id: expect.any(String), time: expect.any(String), tenant_id: id, actor: "admin123" },
      ...{ action: "tenant.updated", target: id, address: expect.stringContaining("127.0.0.1") },
      detail: { limits: { daily_audio_seconds: 5 } },
    },
  ]);
  const second = await body<{ data: { action: string }[]; next_cursor: null }>(
    await admin(`/admin/audit?tenant_id=${id}&limit=1&cursor=${first.next_cursor}`),
  );
  expect(second).toMatchObject({ data: [{ action: "tenant.created" }], next_cursor: null });
  const mine = await body<{ data: { actor: string; action: string }[] }>(
    await admin("/admin/audit?actor=admin123&action=tenant.created"),
  );
  expect(mine.data.every(({ actor, action }) => actor === "admin123" && action === "tenant.created")).toBe(true);
  expect(paths(await expectProblem(await admin("/admin/audit?cursor=x"), 400, "invalid_request"))).toEqual(["cursor"]);
});

test("the key that the configuration names is in the audit log, too", async () => {
  const { data } = await body<{ data: { action: string; detail: object }[] }>(
    await admin("/admin/audit?actor=configuration"),
  );
  expect(data).toMatchObject([{ action: "key.created", detail: { why: "SCRIBE_ADMIN_KEY" } }]);
});

test("the operator sees jobs and queues of all tenants, and none of what was said", async () => {
  const { key } = await api.makeKey(["transcribe"], { tenant: "watched" });
  const submit = async () =>
    (
      await body<{ job_id: string }>(
        await api.call("/api/v1/transcribe", { key, json: { url: "https://example.com/a.wav" } }),
      )
    ).job_id;
  const [done, waiting] = [await submit(), await submit()];
  await finish(api.db, done, [segment(0, "confidential")]);
  const list = await (await admin("/admin/jobs?status=completed")).text();
  expect(list).toContain(done);
  expect(list).not.toContain("confidential");
  expect(list).not.toContain(waiting);
  expect(await body(await admin("/admin/jobs?status=failed"))).toEqual({ data: [], next_cursor: null });
  const { backend, queues } = await body<{ backend: string; queues: Record<string, unknown>[] }>(
    await admin("/admin/queues"),
  );
  expect(backend).toBe("postgres");
  expect(queues).toMatchObject([
    { name: "transcription", waiting: 1, running: 0, audio_seconds: 300, oldest_seconds: expect.any(Number) },
    { name: "webhooks", waiting: 0 },
    { name: "enhancement", waiting: 0 },
  ]);
});

describe("usage and quotas", () => {
  test("usage is shown by day and model, with what is left; past the quota a job is 429", async () => {
    const keys = await api.makeKey(["transcribe", "manage"], { tenant: "counted" });
    const submit = () => api.call("/api/v1/transcribe", { key: keys.key, json: { url: "https://example.com/a.wav" } });
    const { job_id } = await body<{ job_id: string }>(await submit());
    await finish(api.db, job_id, [segment(0, "x")]);
    const today = new Date().toISOString().slice(0, 10);
    const usage = await body(await api.call("/api/v1/usage", { key: keys.key }));
    expect(usage).toMatchObject({
      data: [{ date: today, model: "whisper-nano.en", completed: 1, failed: 0, cancelled: 0, audio_seconds: 8 }],
      total: { completed: 1, audio_seconds: 8 },
      today: { audio_seconds: 8, live_jobs: 0, live_audio_seconds: 0 },
      limits: { daily_audio_seconds: 1000, queued_audio_seconds: null },
    });
    await api.db.pool.query(
      "UPDATE usage SET audio_seconds = 700 WHERE tenant_id = (SELECT tenant_id FROM api_keys WHERE id = $1)",
      [keys.id],
    );
    expect((await submit()).status).toBe(202);
    const refused = await submit();
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(86_400);
    const problem = await expectProblem(refused, 429, "quota_exceeded");
    expect(problem.detail).toContain("1000 seconds a day");
    // Another tenant has a day of its own.
    expect((await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } })).status).toBe(202);
  });

  test("a retry is a job like any other to the quota", async () => {
    const { key, id } = await api.makeKey(["transcribe"], { tenant: "retrying" });
    const { job_id } = await body<{ job_id: string }>(
      await api.call("/api/v1/transcribe", { key, json: { url: "https://example.com/a.wav" } }),
    );
    await claim(api.db, job_id);
    await api.call(`/api/v1/jobs/${job_id}/cancel`, { method: "POST", key });
    await api.db.pool.query(
      "UPDATE usage SET audio_seconds = 1000 WHERE tenant_id = (SELECT tenant_id FROM api_keys WHERE id = $1)",
      [id],
    );
    await expectProblem(await api.call(`/api/v1/jobs/${job_id}/retry`, { method: "POST", key }), 429, "quota_exceeded");
  });

  test.each(["from=2026-02-02&to=2026-02-01", "from=2020-01-01&to=2026-01-01", "from=yesterday"])(
    "%s is 400",
    async (query) => {
      expect(paths(await expectProblem(await admin(`/usage?${query}`), 400, "invalid_request"))).toEqual(["from"]);
    },
  );
});

describe("links to a transcript", () => {
  let jobId: string;
  beforeAll(async () => {
    const response = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } });
    jobId = (await body<{ job_id: string }>(response)).job_id;
  });
  const link = (json: object) => api.call(`/api/v1/jobs/${jobId}/transcript/link`, { json });

  test("are made of a completed job, and read without a key", async () => {
    await expectProblem(await link({}), 409, "conflict");
    await finish(api.db, jobId, [segment(0, "hello there")]);
    const made = await body<{ url: string; expires_at: string }>(await link({ format: "srt", expires_in: 60 }));
    expect(Math.abs(Date.parse(made.expires_at) - Date.now() - 60_000)).toBeLessThan(5_000);
    const response = await api.call(made.url, { key: null });
    expect([response.status, response.headers.get("content-type")]).toEqual([
      ...[200, "application/x-subrip; charset=utf-8"],
    ]);
    expect(await response.text()).toContain("hello there");
    expect(api.log()).not.toContain("signature=");
  });

  test("a link lasts a day at most", async () => {
    expect((await link({ format: "text", expires_in: 86_400 })).status).toBe(200);
    const problem = await expectProblem(await link({ format: "text", expires_in: 86_401 }), 400, "invalid_request");
    expect(paths(problem)).toEqual(["expires_in"]);
  });

  test("whatever is changed in one, it opens nothing", async () => {
    const { url } = await body<{ url: string }>(await link({ format: "text" }));
    const change = (name: string, value: string) => {
      const changed = new URL(url, "http://x");
      changed.searchParams.set(name, value);
      return changed.pathname + changed.search;
    };
    for (const changed of [
      change("expires", "9999999999"),
      change("format", "json"),
      change("job", "01900000-0000-7000-8000-000000000000"),
      change("tenant", "01900000-0000-7000-8000-000000000000"),
      change("signature", "x".repeat(43)),
      change("signature", "x"),
      change("job", "x"),
    ]) {
      await expectProblem(await api.call(changed, { key: null }), 403, "forbidden");
    }
    expect((await api.call(url, { key: null })).status).toBe(200);
  });

  test("end with their time, and with the job", async () => {
    const { url: short } = await body<{ url: string }>(await link({ expires_in: 1 }));
    const { url: long } = await body<{ url: string }>(await link({ expires_in: 86_400 }));
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect((await expectProblem(await api.call(short, { key: null }), 403, "forbidden")).detail).toContain("expired");
    for (const expires_in of [0, 86_401]) {
      expect(paths(await expectProblem(await link({ expires_in }), 400, "invalid_request"))).toEqual(["expires_in"]);
    }
    expect((await api.call(long, { key: null })).status).toBe(200);
    await api.call(`/api/v1/jobs/${jobId}`, { method: "DELETE" });
    await expectProblem(await api.call(long, { key: null }), 404, "not_found");
  });
});
