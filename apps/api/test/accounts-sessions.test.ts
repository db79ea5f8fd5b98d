import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { uuidV7 } from "@scribe/domain";
import { waitFor } from "@scribe/testing";
import {
  auditOf,
  forgetTries,
  grantOf,
  logIn,
  me,
  post,
  refresh,
  registered,
  resign,
  startAccounts,
  statusOf,
} from "./accounts-bench.ts";
import { expectProblem } from "./expect-problem.ts";
import type { TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startAccounts();
}, 60_000);
afterAll(() => api.stop());
beforeEach(() => forgetTries(api));

describe("a refresh token", () => {
  test("is traded once, for tokens of the same session", async () => {
    const first = await registered(api);
    const second = await grantOf(refresh(api, first.refresh_token));
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(second).toMatchObject({ user: first.user, tenant: first.tenant });
    expect(await me(api, second.access_token)).toBe(200);
    const third = await grantOf(refresh(api, second.refresh_token));
    expect(await me(api, third.access_token)).toBe(200);
  });

  test("that is shown again ends its session, with the tokens of thief and victim, at once", async () => {
    const stolen = await registered(api);
    const elsewhere = await grantOf(logIn(api, stolen.user.email));
    const next = await grantOf(refresh(api, stolen.refresh_token));
    await expectProblem(await refresh(api, stolen.refresh_token), 401, "unauthorized");
    await expectProblem(await refresh(api, next.refresh_token), 401, "unauthorized");
    expect([await me(api, stolen.access_token), await me(api, next.access_token)]).toEqual([401, 401]);
    expect(await auditOf(api, "session.reused")).toContainEqual(
      expect.objectContaining({ actor: `user:${stolen.user.id}` }),
    );
    // Another log-in of the same user is another family.
    expect(await me(api, elsewhere.access_token)).toBe(200);
  });

  test("shown ten times at the same moment has one successor, which works", async () => {
    // A busy machine may hear them a moment apart: then some are one token shown again, and they all ask anew.
    const successors: number[] = [];
    const grants = await waitFor(async () => {
      const { refresh_token } = await registered(api);
      const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(api, refresh_token)));
      const given = await Promise.all(
        answers.filter(({ status }) => status === 200).map((answer) => grantOf(Promise.resolve(answer))),
      );
      successors.push(new Set(given.map((grant) => grant.refresh_token)).size);
      return given.length === answers.length ? given : null;
    });
    expect(Math.max(...successors)).toBe(1);
    for (const { access_token } of grants) expect(await me(api, access_token)).toBe(200);
    expect((await refresh(api, grants[0]!.refresh_token)).status).toBe(200);
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
    await expectProblem(await refresh(api, grant.refresh_token), 401, "unauthorized");
    expect(await me(api, grant.access_token)).toBe(200);
  });

  test("of a disabled user, or for a disabled tenant, is refused at once", async () => {
    const [one, other] = [await registered(api), await registered(api)];
    await api.db.pool.query("UPDATE users SET disabled_at = now() WHERE id = $1", [one.user.id]);
    await api.db.pool.query("UPDATE tenants SET disabled_at = now() WHERE id = $1", [other.tenant.id]);
    await expectProblem(await refresh(api, one.refresh_token), 401, "unauthorized");
    await expectProblem(await refresh(api, other.refresh_token), 403, "forbidden");
    expect([await me(api, one.access_token), await me(api, other.access_token)]).toEqual([401, 401]);
  });
});

describe("logging out", () => {
  test("ends the session's tokens at once, and no other session", async () => {
    const one = await registered(api);
    const other = await grantOf(logIn(api, one.user.email));
    const response = await post(api, "/api/v1/auth/logout", { refresh_token: one.refresh_token });
    expect(response.status).toBe(204);
    expect([await me(api, one.access_token), await me(api, other.access_token)]).toEqual([401, 200]);
    await expectProblem(await refresh(api, one.refresh_token), 401, "unauthorized");
    expect(await auditOf(api, "logout")).toContainEqual(expect.objectContaining({ actor: `user:${one.user.id}` }));
  });

  test("everywhere ends all of them", async () => {
    const one = await registered(api);
    const other = await grantOf(logIn(api, one.user.email));
    await post(api, "/api/v1/auth/logout", { refresh_token: one.refresh_token, everywhere: true });
    expect([await me(api, one.access_token), await me(api, other.access_token)]).toEqual([401, 401]);
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
    expect(await me(api, resign(access_token, {}))).toBe(200);
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
