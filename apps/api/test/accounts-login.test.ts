import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { uuidV7 } from "@scribe/domain";
import {
  auditOf,
  forgetTries,
  type Grant,
  logIn,
  me,
  newEmail,
  PASSWORD,
  post,
  refresh,
  registered,
  startAccounts,
} from "./accounts-bench.ts";
import { expectProblem } from "./expect-problem.ts";
import type { TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startAccounts();
}, 60_000);
afterAll(() => api.stop());
beforeEach(() => forgetTries(api));

describe("logging in", () => {
  test("gives tokens of a new session", async () => {
    const { user, tenant } = await registered(api);
    const response = await logIn(api, ` ${user.email.toUpperCase()}`);
    expect(response.status).toBe(200);
    const grant = (await response.json()) as Grant;
    expect(grant).toMatchObject({ user: { id: user.id }, tenant: { id: tenant.id, role: "owner" } });
    expect(await me(api, grant.access_token)).toBe(200);
    expect(await auditOf(api, "login.succeeded")).toContainEqual(expect.objectContaining({ target: user.id }));
  });

  test("an unknown address and a wrong password are told in the same words, with the same headers", async () => {
    const { user } = await registered(api);
    const answers = await Promise.all(
      [user.email, newEmail()].map(async (email) => {
        const response = await logIn(api, email, "wrong horse battery");
        const headers = [...response.headers].filter(([name]) => !/^(date|ratelimit|x-request-id)$/.test(name));
        const { request_id: _, ...problem } = (await response.json()) as Record<string, unknown>;
        return { status: response.status, headers, problem };
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toMatchObject({ status: 401, problem: { code: "unauthorized" } });
    expect(await auditOf(api, "login.failed")).toContainEqual(expect.objectContaining({ target: user.id }));
  });

  test("and take as long", async () => {
    const { user } = await registered(api);
    const times: Record<"known" | "unknown", number[]> = { known: [], unknown: [] };
    for (let at = 0; at < 24; at++) {
      await forgetTries(api);
      const which = at % 2 === 0 ? "known" : "unknown";
      const startedAt = performance.now();
      await (await logIn(api, which === "known" ? user.email : newEmail(), "wrong horse battery")).arrayBuffer();
      times[which].push(performance.now() - startedAt);
    }
    // The quickest of each: what else the machine does only ever adds. Without hashing it would be a tenth.
    const [known, unknown] = [Math.min(...times.known), Math.min(...times.unknown)];
    expect(unknown).toBeGreaterThan(known * 0.6);
    expect(known).toBeGreaterThan(unknown * 0.6);
  });

  test("the right password of a disabled user is a wrong one", async () => {
    const { user } = await registered(api);
    await api.db.pool.query("UPDATE users SET disabled_at = now() WHERE id = $1", [user.id]);
    await expectProblem(await logIn(api, user.email), 401, "unauthorized");
  });

  test("a hash of another cost is made anew", async () => {
    const { user } = await registered(api);
    // Of "password", by the reference implementation, at another cost.
    const old = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    await api.db.pool.query("UPDATE users SET password_hash = $2 WHERE id = $1", [user.id, old]);
    expect((await logIn(api, user.email, "password")).status).toBe(200);
    const { rows } = await api.db.pool.query("SELECT password_hash FROM users WHERE id = $1", [user.id]);
    expect(rows[0].password_hash).toContain("m=19456,t=2,p=1");
    expect((await logIn(api, user.email, "password")).status).toBe(200);
  });

  test("for a tenant that one does not belong to is 404, as for one that nobody has", async () => {
    const [one, other] = [await registered(api), await registered(api)];
    for (const tenant_id of [other.tenant.id, uuidV7()]) {
      await expectProblem(await logIn(api, one.user.email, PASSWORD, { tenant_id }), 404, "not_found");
    }
  });

  test("where no tenant is left that is open is 403", async () => {
    const { user, tenant } = await registered(api);
    await api.db.pool.query("UPDATE tenants SET disabled_at = now() WHERE id = $1", [tenant.id]);
    await expectProblem(await logIn(api, user.email), 403, "forbidden");
  });

  test.each<[string, object]>([
    ["no password", { email: "a@example.com" }],
    ["an empty password", { email: "a@example.com", password: "" }],
    ["a megabyte of password", { email: "a@example.com", password: "x".repeat(2 ** 19) }],
    ["a list for an address", { email: ["a@example.com"], password: PASSWORD }],
    ["an object for a password", { email: "a@example.com", password: { $ne: "" } }],
    ["NUL in the password", { email: "a@example.com", password: "a\u0000" }],
    ["a tenant that is no id", { email: "a@example.com", password: PASSWORD, tenant_id: "1" }],
  ])("with %s is 400", async (_what, json) => {
    await expectProblem(await post(api, "/api/v1/auth/login", json), 400, "invalid_request");
  });
});

describe("an account is locked", () => {
  const tryWrongly = async (email: string, times: number) => {
    const statuses: number[] = [];
    for (let at = 0; at < times; at++) statuses.push((await logIn(api, email, "wrong horse battery")).status);
    return statuses;
  };

  test.each(["known", "unknown"])(
    "after five tries, for the right password too, whether there is one: %s",
    async (which) => {
      const email = which === "known" ? (await registered(api)).user.email : newEmail();
      expect(await tryWrongly(email, 6)).toEqual([401, 401, 401, 401, 401, 429]);
      const locked = await logIn(api, email);
      const problem = await expectProblem(locked, 429, "rate_limited");
      expect(problem.detail).toBe("Too many tries to log in have failed; wait a little.");
      expect(Number(locked.headers.get("retry-after"))).toBeGreaterThan(20);
      expect(Number(locked.headers.get("retry-after"))).toBeLessThanOrEqual(30);
      const entries = await auditOf(api, "login.locked");
      expect(entries.at(-1)).toMatchObject({ actor: "anonymous", detail: { what: "account" } });
      expect(JSON.stringify(entries)).not.toContain(email);
    },
  );

  test("for twice as long each time, and is free again afterwards", async () => {
    const { user } = await registered(api);
    await tryWrongly(user.email, 5);
    const passTime = () => api.db.pool.query("UPDATE login_attempts SET locked_until = now() - interval '1 s'");
    await passTime();
    expect(await tryWrongly(user.email, 2)).toEqual([401, 429]);
    const again = Number((await logIn(api, user.email)).headers.get("retry-after"));
    expect(again).toBeGreaterThan(50);
    expect(again).toBeLessThanOrEqual(60);
    await passTime();
    expect((await logIn(api, user.email)).status).toBe(200);
    expect(await tryWrongly(user.email, 4)).toEqual([401, 401, 401, 401]);
    expect((await logIn(api, user.email)).status).toBe(200);
  });

  test("by tries at the same moment as by tries one after another", async () => {
    const { user } = await registered(api);
    const statuses = await Promise.all(Array.from({ length: 15 }, () => logIn(api, user.email, "wrong horse battery")));
    const seen = statuses.map(({ status }) => status);
    expect(seen.filter((status) => status === 401)).toHaveLength(5);
    // 503: a busy machine's store of counts was late, before anything was tried.
    expect(new Set(seen.filter((status) => status !== 503))).toEqual(new Set([401, 429]));
  });

  test("but its open sessions are not", async () => {
    const grant = await registered(api);
    await tryWrongly(grant.user.email, 6);
    expect(await me(api, grant.access_token)).toBe(200);
    expect((await refresh(api, grant.refresh_token)).status).toBe(200);
  });

  test("and so is an address that tries twenty accounts", async () => {
    const { user } = await registered(api);
    for (let at = 0; at < 20; at++) expect((await logIn(api, newEmail(), "wrong horse battery")).status).toBe(401);
    await expectProblem(await logIn(api, user.email), 429, "rate_limited");
    expect((await auditOf(api, "login.locked")).at(-1)).toMatchObject({ detail: { what: "address" } });
  });
});
