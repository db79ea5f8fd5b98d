import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  auditOf,
  forgetTries,
  type Grant,
  grantOf,
  logIn,
  me,
  newEmail,
  PASSWORD,
  post,
  registered,
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
    const other = await grantOf(logIn(api, one.user.email));
    await expectProblem(
      await change(one.access_token, "wrong horse battery", "another horse battery"),
      401,
      "unauthorized",
    );
    expect((await change(one.access_token, PASSWORD, "another horse battery")).status).toBe(204);
    expect([await me(api, one.access_token), await me(api, other.access_token)]).toEqual([200, 401]);
    expect((await logIn(api, one.user.email)).status).toBe(401);
    expect((await logIn(api, one.user.email, "another horse battery")).status).toBe(200);
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
