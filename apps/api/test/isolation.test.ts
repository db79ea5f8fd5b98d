import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ensureTenant, tenantInvitations, tenantMembers } from "@scribe/database";
import { doorOf } from "../src/http/compat/doors.ts";
import { routes } from "../src/http/routes.ts";
import { MATRIX, type Row } from "./isolation-matrix.ts";
import { makeNobodys, makeTheirs, type Things } from "./isolation-things.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
let mine: string;
let theirs: Things;
const nobody = makeNobodys();

beforeAll(async () => {
  api = await startTestApi({
    ...{ ACCOUNTS: "on", JWT_SECRET: "x".repeat(32) },
    ...{ ENHANCED_AI_BASE_URL: "http://127.0.0.1:9/v1", ENHANCED_AI_MODEL: "m" },
  });
  mine = (await api.makeKey(["transcribe", "manage"], { tenant: "mine" })).key;
  theirs = await makeTheirs(api);
}, 60_000);
afterAll(() => api.stop());

/** Status, headers and bytes: all that an answer says. */
async function answerTo({ ask }: Row, things: Things, key: string) {
  const { path, init = {} } = ask(things);
  const response = await api.call(path, {
    ...{ ...init, key, headers: { ...(init.headers as Record<string, string>), "X-Request-Id": "the-same" } },
  });
  const headers = [...response.headers].filter(([name]) => !/^(date|ratelimit)$/.test(name));
  return { status: response.status, headers, body: await response.text() };
}

test("every route has a row", () => {
  expect(Object.keys(MATRIX).sort()).toEqual(routes.map(({ operationId }) => operationId).sort());
  for (const route of routes) {
    const verdict = MATRIX[route.operationId];
    const label = `${route.method} ${route.path}`;
    if (route.scope === "admin") expect([label, verdict]).toEqual([label, "for the operator"]);
    else if (route.scope === null) expect([label, verdict]).toEqual([label, "for everybody"]);
    else if (route.path.includes("{")) expect([label, Array.isArray(verdict)]).toEqual([label, true]);
  }
});

describe("what another tenant has is as if it were not there", () => {
  const rows = Object.entries(MATRIX).flatMap(([name, verdict]) =>
    Array.isArray(verdict) ? verdict.map((row, at) => [`${name} ${at + 1}`, row] as const) : [],
  );

  test.each(rows)("%s", async (_name, row) => {
    const [foreign, absent] = [await answerTo(row, theirs, mine), await answerTo(row, nobody, mine)];
    expect(foreign).toEqual(absent);
    expect(foreign.status).toBe(404);
    // Front doors of other services tell it in those services' words.
    const { path, init } = row.ask(theirs);
    if (doorOf(path) === null && init?.method !== "HEAD")
      expect(JSON.parse(foreign.body)).toMatchObject({ code: "not_found" });
  });

  test("and nothing of it has changed", async () => {
    const { rows: jobs } = await api.db.pool.query("SELECT status FROM jobs WHERE id = ANY($1) ORDER BY status", [
      [theirs.job, theirs.failed],
    ]);
    expect(jobs).toEqual([{ status: "completed" }, { status: "cancelled" }]);
    const { rows: keys } = await api.db.pool.query("SELECT revoked_at, expires_at FROM api_keys WHERE id = $1", [
      theirs.key,
    ]);
    expect(keys).toEqual([{ revoked_at: null, expires_at: null }]);
    const { id: tenantId } = await ensureTenant(api.db, "theirs");
    expect(await tenantMembers(api.db, tenantId).list()).toMatchObject([{ userId: theirs.member, role: "member" }]);
    expect(await tenantInvitations(api.db, tenantId).list()).toMatchObject([{ id: theirs.invitation }]);
  });
});

test("an Idempotency-Key of another tenant's is unknown", async () => {
  const json = { url: "https://example.com/a.wav", webhook_url: "https://example.com/hook" };
  const response = await api.call("/api/v1/transcribe", { json, key: mine, headers: { "Idempotency-Key": "shared" } });
  expect([response.status, response.headers.get("idempotency-replayed")]).toEqual([202, null]);
  expect(((await response.json()) as { job_id: string }).job_id).not.toBe(theirs.failed);
  // With other input too: 422 would tell that the key is in use.
  const other = await api.call("/api/v1/transcribe", {
    json: { url: "https://example.com/other.wav" },
    key: (await api.makeKey(["transcribe"], { tenant: "third" })).key,
    headers: { "Idempotency-Key": "shared" },
  });
  expect(other.status).toBe(202);
});

test("lists hold the own tenant's alone", async () => {
  for (const path of [
    "/api/v1/webhooks/endpoints",
    "/api/v1/webhooks/deliveries",
    "/api/v1/keys",
    "/api/v1/jobs",
    "/api/v1/members",
    "/api/v1/members/invitations",
    "/compat/saas/jobs",
  ]) {
    const text = await (await api.call(path, { key: mine })).text();
    for (const id of Object.values(theirs)) expect(text).not.toContain(id);
  }
});

test.each(routes.filter(({ scope }) => scope === "admin").map(({ method, path }) => [method, path] as const))(
  "%s %s is closed to those who do not run the instance",
  async (method, path) => {
    const response = await api.call(path.replace("{id}", theirs.key).replace("{key}", "-"), {
      method: method.toUpperCase(),
      key: mine,
    });
    expect(response.status).toBe(403);
  },
);
