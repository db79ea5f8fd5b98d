import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { uuidV7 } from "@scribe/domain";
import {
  auditOf,
  forgetTries,
  type Grant,
  newEmail,
  PASSWORD,
  post,
  registered,
  resign,
  startAccounts,
  statusOf,
} from "./accounts-bench.ts";
import { expectProblem } from "./expect-problem.ts";
import { readSse } from "./read-sse.ts";
import type { TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startAccounts({}, { streamCommentMs: 100 });
}, 60_000);
afterAll(() => api.stop());
beforeEach(() => forgetTries(api));

const logIn = (email: string, password = PASSWORD, over: object = {}) =>
  post(api, "/api/v1/auth/login", { email, password, ...over });
const refresh = (refresh_token: string, over: object = {}) =>
  post(api, "/api/v1/auth/refresh", { refresh_token, ...over });
const grantOf = async (response: Promise<Response>) => (await (await response).json()) as Grant;
const me = (token: string) => statusOf(api, "/api/v1/auth/me", token);

describe("registering", () => {
  test("makes an account with a tenant of its own, logged in, whose tokens do what a key does", async () => {
    const response = await post(api, "/api/v1/auth/register", {
      ...{ email: " New@Example.com ", password: PASSWORD, name: "New" },
    });
    expect([response.status, response.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const grant = (await response.json()) as Grant;
    expect(grant).toMatchObject({
      token_type: "Bearer",
      expires_in: 900,
      user: { email: "new@example.com", name: "New" },
    });
    expect(grant.tenant).toMatchObject({ role: "owner", scopes: ["transcribe", "manage"] });
    const accepted = await post(api, "/api/v1/transcribe", { url: "https://example.com/a.wav" }, grant.access_token);
    const { job_id } = (await accepted.json()) as { job_id: string };
    expect(accepted.status).toBe(202);
    const { rows } = await api.db.pool.query("SELECT tenant_id FROM jobs WHERE id = $1", [job_id]);
    expect(rows).toEqual([{ tenant_id: grant.tenant.id }]);
    const other = await registered(api);
    expect(await statusOf(api, `/api/v1/jobs/${job_id}`, other.access_token)).toBe(404);
    expect(await auditOf(api, "user.registered")).toContainEqual(
      expect.objectContaining({ target: grant.user.id, tenant_id: grant.tenant.id, actor: `user:${grant.user.id}` }),
    );
  });

  test("watches jobs for as long as the session holds", async () => {
    const { access_token: key, refresh_token } = await registered(api);
    const accepted = await post(api, "/api/v1/transcribe", { url: "https://example.com/a.wav" }, key);
    const { job_id } = (await accepted.json()) as { job_id: string };
    const comments: string[] = [];
    for await (const { comment, retry } of readSse(await api.call(`/api/v1/jobs/${job_id}/events`, { key }))) {
      if (comment === undefined) continue;
      comments.push(comment);
      if (comments.length === 3) await post(api, "/api/v1/auth/logout", { refresh_token });
      if (retry !== undefined) break;
    }
    expect(comments.length).toBeGreaterThan(3);
    expect(comments.at(-1)).toBe("the key is no longer valid");
  });

  test("keeps the password as argon2id alone, and of tokens their hashes", async () => {
    const grant = await registered(api);
    const { rows } = await api.db.pool.query("SELECT password_hash FROM users WHERE id = $1", [grant.user.id]);
    expect(rows[0].password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const tables = ["users", "sessions", "refresh_tokens", "audit", "login_attempts", "tenants"];
    const dumps = tables.map((table) => api.db.pool.query(`SELECT * FROM ${table}`));
    const everything = JSON.stringify((await Promise.all(dumps)).map((dump) => dump.rows)) + api.log();
    for (const secret of [PASSWORD, grant.refresh_token, grant.access_token]) expect(everything).not.toContain(secret);
  });

  test("an address twice is 409, in whatever form it is written", async () => {
    const email = newEmail();
    await registered(api, { email });
    const again = await post(api, "/api/v1/auth/register", { email: email.toUpperCase(), password: PASSWORD });
    await expectProblem(again, 409, "conflict");
    expect(await auditOf(api, "user.not_registered")).toHaveLength(1);
  });

  test("an address twice at the same moment makes one account", async () => {
    const email = newEmail();
    const both = await Promise.all(
      [1, 2, 3].map(() => post(api, "/api/v1/auth/register", { email, password: PASSWORD })),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    const { rows } = await api.db.pool.query(
      "SELECT count(*)::int AS tenants FROM tenants t JOIN memberships m ON m.tenant_id = t.id JOIN users u ON u.id = m.user_id WHERE u.email = $1",
      [email],
    );
    expect(rows).toEqual([{ tenants: 1 }]);
  });

  test.each<[string, object, string]>([
    ["a short password", { password: "elevenchars" }, "password"],
    ["a long password", { password: "x".repeat(129) }, "password"],
    ["the address as password", { email: "somebody@example.com", password: "SomeBody@example.com" }, "password"],
    ["a password with NUL", { password: "twelve chars\u0000" }, "password"],
    ["a password with a lone surrogate", { password: "twelve chars\ud800" }, "password"],
    ["a password that is no text", { password: 123_456_789_012 }, "password"],
    ["no password", { password: undefined }, "password"],
    ["what is no address", { email: "somebody" }, "email"],
    ["an address with a line break", { email: "a@example.com\nBcc: b@example.com" }, "email"],
    ["no address", { email: undefined }, "email"],
    ["an unknown field", { role: "owner" }, "role"],
    ["a scope of one's choice", { scopes: ["admin"] }, "scopes"],
    ["what is no invitation", { invitation: "x" }, "invitation"],
    ["__proto__", JSON.parse('{"__proto__": {"role": "owner"}}') as object, ""],
  ])("with %s is 400", async (_what, over, path) => {
    const body = { email: newEmail(), password: PASSWORD, ...over };
    const json = "__proto__" in over && Object.hasOwn(over, "__proto__") ? over : body;
    const problem = await expectProblem(await post(api, "/api/v1/auth/register", json), 400, "invalid_request");
    if (path !== "") expect(problem.errors?.map((error) => error.path)).toContain(path);
  });

  test("an Idempotency-Key is refused: its record would hold tokens", async () => {
    const response = await api.call("/api/v1/auth/register", {
      ...{ key: null, json: { email: newEmail(), password: PASSWORD }, headers: { "Idempotency-Key": "a" } },
    });
    await expectProblem(response, 400, "invalid_request");
  });
});

describe("logging in", () => {
  test("gives tokens of a new session", async () => {
    const { user, tenant } = await registered(api);
    const response = await logIn(` ${user.email.toUpperCase()}`);
    expect(response.status).toBe(200);
    const grant = (await response.json()) as Grant;
    expect(grant).toMatchObject({ user: { id: user.id }, tenant: { id: tenant.id, role: "owner" } });
    expect(await me(grant.access_token)).toBe(200);
    expect(await auditOf(api, "login.succeeded")).toContainEqual(expect.objectContaining({ target: user.id }));
  });

  test("an unknown address and a wrong password are told in the same words, with the same headers", async () => {
    const { user } = await registered(api);
    const answers = await Promise.all(
      [user.email, newEmail()].map(async (email) => {
        const response = await logIn(email, "wrong horse battery");
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
      await (await logIn(which === "known" ? user.email : newEmail(), "wrong horse battery")).arrayBuffer();
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
    await expectProblem(await logIn(user.email), 401, "unauthorized");
  });

  test("a hash of another cost is made anew", async () => {
    const { user } = await registered(api);
    // Of "password", by the reference implementation, at another cost.
    const old = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    await api.db.pool.query("UPDATE users SET password_hash = $2 WHERE id = $1", [user.id, old]);
    expect((await logIn(user.email, "password")).status).toBe(200);
    const { rows } = await api.db.pool.query("SELECT password_hash FROM users WHERE id = $1", [user.id]);
    expect(rows[0].password_hash).toContain("m=19456,t=2,p=1");
    expect((await logIn(user.email, "password")).status).toBe(200);
  });

  test("for a tenant that one does not belong to is 404, as for one that nobody has", async () => {
    const [one, other] = [await registered(api), await registered(api)];
    for (const tenant_id of [other.tenant.id, uuidV7()]) {
      await expectProblem(await logIn(one.user.email, PASSWORD, { tenant_id }), 404, "not_found");
    }
  });

  test("where no tenant is left that is open is 403", async () => {
    const { user, tenant } = await registered(api);
    await api.db.pool.query("UPDATE tenants SET disabled_at = now() WHERE id = $1", [tenant.id]);
    await expectProblem(await logIn(user.email), 403, "forbidden");
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
    for (let at = 0; at < times; at++) statuses.push((await logIn(email, "wrong horse battery")).status);
    return statuses;
  };

  test.each(["known", "unknown"])(
    "after five tries, for the right password too, whether there is one: %s",
    async (which) => {
      const email = which === "known" ? (await registered(api)).user.email : newEmail();
      expect(await tryWrongly(email, 6)).toEqual([401, 401, 401, 401, 401, 429]);
      const locked = await logIn(email);
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
    const again = Number((await logIn(user.email)).headers.get("retry-after"));
    expect(again).toBeGreaterThan(50);
    expect(again).toBeLessThanOrEqual(60);
    await passTime();
    expect((await logIn(user.email)).status).toBe(200);
    expect(await tryWrongly(user.email, 4)).toEqual([401, 401, 401, 401]);
    expect((await logIn(user.email)).status).toBe(200);
  });

  test("by tries at the same moment as by tries one after another", async () => {
    const { user } = await registered(api);
    const statuses = await Promise.all(Array.from({ length: 15 }, () => logIn(user.email, "wrong horse battery")));
    const seen = statuses.map(({ status }) => status);
    expect(seen.filter((status) => status === 401)).toHaveLength(5);
    // 503: a busy machine's store of counts was late, before anything was tried.
    expect(new Set(seen.filter((status) => status !== 503))).toEqual(new Set([401, 429]));
  });

  test("but its open sessions are not", async () => {
    const grant = await registered(api);
    await tryWrongly(grant.user.email, 6);
    expect(await me(grant.access_token)).toBe(200);
    expect((await refresh(grant.refresh_token)).status).toBe(200);
  });

  test("and so is an address that tries twenty accounts", async () => {
    const { user } = await registered(api);
    for (let at = 0; at < 20; at++) expect((await logIn(newEmail(), "wrong horse battery")).status).toBe(401);
    await expectProblem(await logIn(user.email), 429, "rate_limited");
    expect((await auditOf(api, "login.locked")).at(-1)).toMatchObject({ detail: { what: "address" } });
  });
});

describe("a refresh token", () => {
  test("is traded once, for tokens of the same session", async () => {
    const first = await registered(api);
    const second = await grantOf(refresh(first.refresh_token));
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(second).toMatchObject({ user: first.user, tenant: first.tenant });
    expect(await me(second.access_token)).toBe(200);
    const third = await grantOf(refresh(second.refresh_token));
    expect(await me(third.access_token)).toBe(200);
  });

  test("that is shown again ends its session, with the tokens of thief and victim, at once", async () => {
    const stolen = await registered(api);
    const elsewhere = await grantOf(logIn(stolen.user.email));
    const next = await grantOf(refresh(stolen.refresh_token));
    await expectProblem(await refresh(stolen.refresh_token), 401, "unauthorized");
    await expectProblem(await refresh(next.refresh_token), 401, "unauthorized");
    expect([await me(stolen.access_token), await me(next.access_token)]).toEqual([401, 401]);
    expect(await auditOf(api, "session.reused")).toContainEqual(
      expect.objectContaining({ actor: `user:${stolen.user.id}` }),
    );
    // Another log-in of the same user is another family.
    expect(await me(elsewhere.access_token)).toBe(200);
  });

  test("shown ten times at the same moment has one successor, which works", async () => {
    const { refresh_token } = await registered(api);
    const grants = await Promise.all(Array.from({ length: 10 }, () => grantOf(refresh(refresh_token))));
    const successors = new Set(grants.map((grant) => grant.refresh_token));
    expect(successors.size).toBe(1);
    for (const { access_token } of grants) expect(await me(access_token)).toBe(200);
    const [successor] = successors;
    expect((await refresh(successor!)).status).toBe(200);
  });

  test.each([
    ["unknown", `srr_${"A".repeat(43)}`, 401],
    ["an access token", "eyJhbGciOiJIUzI1NiJ9.e30.x", 400],
    ["a key", `sr_nobody12_${"x".repeat(40)}`, 400],
    ["with NUL", `srr_${"A".repeat(42)}\u0000`, 400],
    ["a number", 1, 400],
    ["absent", undefined, 400],
  ])("that is %s is refused: %#", async (_what, token, status) => {
    const response = await post(api, "/api/v1/auth/refresh", { refresh_token: token });
    expect(response.status).toBe(status);
  });

  test("that has expired is refused, and does not count as stolen", async () => {
    const grant = await registered(api);
    await api.db.pool.query(
      "UPDATE refresh_tokens SET expires_at = now() - interval '1 s' WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1)",
      [grant.user.id],
    );
    await expectProblem(await refresh(grant.refresh_token), 401, "unauthorized");
    expect(await me(grant.access_token)).toBe(200);
  });

  test("of a disabled user, or for a disabled tenant, is refused at once", async () => {
    const [one, other] = [await registered(api), await registered(api)];
    await api.db.pool.query("UPDATE users SET disabled_at = now() WHERE id = $1", [one.user.id]);
    await api.db.pool.query("UPDATE tenants SET disabled_at = now() WHERE id = $1", [other.tenant.id]);
    await expectProblem(await refresh(one.refresh_token), 401, "unauthorized");
    await expectProblem(await refresh(other.refresh_token), 403, "forbidden");
    expect([await me(one.access_token), await me(other.access_token)]).toEqual([401, 401]);
  });
});

describe("logging out", () => {
  test("ends the session's tokens at once, and no other session", async () => {
    const one = await registered(api);
    const other = await grantOf(logIn(one.user.email));
    const response = await post(api, "/api/v1/auth/logout", { refresh_token: one.refresh_token });
    expect(response.status).toBe(204);
    expect([await me(one.access_token), await me(other.access_token)]).toEqual([401, 200]);
    await expectProblem(await refresh(one.refresh_token), 401, "unauthorized");
    expect(await auditOf(api, "logout")).toContainEqual(expect.objectContaining({ actor: `user:${one.user.id}` }));
  });

  test("everywhere ends all of them", async () => {
    const one = await registered(api);
    const other = await grantOf(logIn(one.user.email));
    await post(api, "/api/v1/auth/logout", { refresh_token: one.refresh_token, everywhere: true });
    expect([await me(one.access_token), await me(other.access_token)]).toEqual([401, 401]);
  });

  test("with a token that is nobody's says the same, and does nothing", async () => {
    const response = await post(api, "/api/v1/auth/logout", { refresh_token: `srr_${"A".repeat(43)}` });
    expect(response.status).toBe(204);
  });
});

describe("an access token", () => {
  const NONE = { alg: "none", typ: "JWT" };

  test.each<[string, (good: string) => string]>([
    ["with algorithm none", (good) => resign(good, {}, NONE)],
    ["with algorithm none, unsigned", (good) => `${resign(good, {}, NONE).split(".").slice(0, 2).join(".")}.`],
    ["with HS512", (good) => resign(good, {}, { alg: "HS512", typ: "JWT" })],
    ["with RS256", (good) => resign(good, {}, { alg: "RS256", typ: "JWT" })],
    ["with another signature", (good) => `${good.slice(0, -8)}AAAAAAAA`],
    ["that has expired", (good) => resign(good, { iat: 1, exp: 2 })],
    ["for another audience", (good) => resign(good, { aud: "another" })],
    ["of another session", (good) => resign(good, { sid: uuidV7() })],
    ["of another user with this session", (good) => resign(good, { sub: uuidV7() })],
    ["for another tenant", (good) => resign(good, { tid: uuidV7() })],
  ])("%s is 401", async (_what, forge) => {
    const { access_token } = await registered(api);
    expect(await me(resign(access_token, {}))).toBe(200);
    const response = await api.call("/api/v1/jobs", { key: forge(access_token) });
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    await expectProblem(response, 401, "unauthorized");
  });

  test("opens no route of the operator", async () => {
    const { access_token } = await registered(api);
    for (const path of ["/api/v1/admin/tenants", "/api/v1/admin/users", "/metrics"]) {
      expect(await statusOf(api, path, access_token)).toBe(403);
    }
  });

  test("is not read from the query", async () => {
    const { access_token } = await registered(api);
    const response = await api.call(`/api/v1/jobs?access_token=${access_token}`, { key: null });
    await expectProblem(response, 401, "unauthorized");
  });

  test("names another tenant of its user's by X-Tenant-Id, and nobody else's", async () => {
    const [one, other] = [await registered(api), await registered(api)];
    const inTenant = async (id: string) => {
      const init = { key: one.access_token, headers: { "X-Tenant-Id": id } };
      const response = await api.call("/api/v1/auth/me", init);
      return { status: response.status, body: (await response.json()) as { tenant?: { id: string }; code?: string } };
    };
    expect(await inTenant(one.tenant.id)).toMatchObject({ status: 200, body: { tenant: { id: one.tenant.id } } });
    for (const id of [other.tenant.id, uuidV7(), "default", "' OR 1=1"]) {
      expect(await inTenant(id)).toMatchObject({ status: 404, body: { code: "not_found" } });
    }
  });

  test("is counted by user", async () => {
    const strict = await startAccounts({ RATE_LIMIT_READS: "3" });
    try {
      const [one, other] = [await registered(strict), await registered(strict)];
      const statuses: number[] = [];
      for (let at = 0; at < 4; at++) statuses.push(await statusOf(strict, "/api/v1/jobs", one.access_token));
      expect(statuses).toEqual([200, 200, 200, 429]);
      expect(await statusOf(strict, "/api/v1/jobs", other.access_token)).toBe(200);
    } finally {
      await strict.stop();
    }
  });
});

describe("who one is", () => {
  test("is told with all tenants that are open", async () => {
    const grant = await registered(api);
    const response = await api.call("/api/v1/auth/me", { key: grant.access_token });
    expect(await response.json()).toEqual({ user: grant.user, tenant: grant.tenant, tenants: [grant.tenant] });
  });

  test("is not told to a key: there is nobody behind it", async () => {
    await expectProblem(await api.call("/api/v1/auth/me"), 403, "forbidden");
    await expectProblem(await api.call("/api/v1/auth/me", { key: null }), 401, "unauthorized");
  });
});

describe("changing a password", () => {
  const change = (token: string, current_password: string, new_password: string) =>
    post(api, "/api/v1/auth/password", { current_password, new_password }, token);

  test("takes the current one, and ends the other sessions", async () => {
    const one = await registered(api);
    const other = await grantOf(logIn(one.user.email));
    await expectProblem(
      await change(one.access_token, "wrong horse battery", "another horse battery"),
      401,
      "unauthorized",
    );
    expect((await change(one.access_token, PASSWORD, "another horse battery")).status).toBe(204);
    expect([await me(one.access_token), await me(other.access_token)]).toEqual([200, 401]);
    expect((await logIn(one.user.email)).status).toBe(401);
    expect((await logIn(one.user.email, "another horse battery")).status).toBe(200);
    expect(await auditOf(api, "password.changed")).toContainEqual(expect.objectContaining({ target: one.user.id }));
  });

  test("to one that breaks the rules is 400", async () => {
    const { access_token, user } = await registered(api);
    for (const wrong of ["short", user.email]) {
      const problem = await expectProblem(await change(access_token, PASSWORD, wrong), 400, "invalid_request");
      expect(problem.errors).toMatchObject([{ path: "new_password" }]);
    }
  });
});
