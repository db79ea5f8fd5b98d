import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { uuidV7 } from "@scribe/domain";
import {
  auditOf,
  forgetTries,
  type Grant,
  memberOf,
  newEmail,
  PASSWORD,
  post,
  registered,
  startAccounts,
  statusOf,
} from "./accounts-bench.ts";
import { expectProblem } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
let owner: Grant;
beforeAll(async () => {
  api = await startAccounts();
}, 60_000);
afterAll(() => api.stop());
beforeEach(async () => {
  await forgetTries(api);
  owner = await registered(api);
});

const patch = (key: string, id: string, json: unknown) =>
  api.call(`/api/v1/members/${id}`, { key, json, method: "PATCH" });
const remove = (key: string, id: string) => api.call(`/api/v1/members/${id}`, { key, method: "DELETE" });
const invite = (key: string, json: unknown) => post(api, "/api/v1/members/invitations", json, key);
const makeKey = async (key: string, scopes: string[]) => {
  const response = await post(api, "/api/v1/keys", { name: "k", scopes }, key);
  return { status: response.status, ...((await response.json()) as { key: string; id: string }) };
};

describe("a role opens what the table says", () => {
  const ROUTES = {
    read: (key: string) => statusOf(api, "/api/v1/jobs", key),
    transcribe: (key: string) =>
      statusOf(api, "/api/v1/transcribe", key, { json: { url: "https://example.com/a.wav" } }),
    manage: (key: string) => statusOf(api, "/api/v1/keys", key),
    admin: (key: string) => statusOf(api, "/api/v1/admin/tenants", key),
  };

  test.each([
    ["owner", [200, 202, 200, 403]],
    ["admin", [200, 202, 200, 403]],
    ["member", [200, 202, 403, 403]],
    ["viewer", [200, 403, 403, 403]],
  ] as const)("%s", async (role, statuses) => {
    const { access_token, tenant } = await memberOf(api, owner, role);
    expect(tenant).toMatchObject({ id: owner.tenant.id, role });
    const seen = [];
    for (const route of Object.values(ROUTES)) seen.push(await route(access_token));
    expect(seen).toEqual(statuses);
  });

  test("and a key made by a user has nothing beyond it", async () => {
    const admin = await memberOf(api, owner, "admin");
    expect((await makeKey(admin.access_token, ["admin"])).status).toBe(403);
    const made = await makeKey(admin.access_token, ["manage", "read"]);
    expect(made.status).toBe(201);
    expect((await makeKey(made.key, ["transcribe"])).status).toBe(403);
  });
});

describe("an invitation", () => {
  test("lets the address it names join, once, with an account it has or a new one", async () => {
    const guest = await registered(api);
    const invited = await invite(owner.access_token, { email: guest.user.email.toUpperCase(), role: "viewer" });
    expect(invited.status).toBe(201);
    const { token, ...rest } = (await invited.json()) as { token: string; email: string; id: string };
    expect(rest.email).toBe(guest.user.email);
    const list = await api.call("/api/v1/members/invitations", { key: owner.access_token });
    expect(await list.json()).toEqual({ data: [rest] });
    const body = { email: guest.user.email, password: PASSWORD, invitation: token };
    const joined = (await (await post(api, "/api/v1/auth/login", body)).json()) as Grant;
    expect(joined.tenant).toMatchObject({ id: owner.tenant.id, role: "viewer" });
    await expectProblem(await post(api, "/api/v1/auth/login", body), 404, "not_found");
    // Its own tenant is still there, by name.
    const own = await api.call("/api/v1/auth/me", {
      ...{ key: joined.access_token, headers: { "X-Tenant-Id": guest.tenant.id } },
    });
    expect(await own.json()).toMatchObject({ tenant: { id: guest.tenant.id, role: "owner" } });
    const moved = await post(api, "/api/v1/auth/refresh", {
      ...{ refresh_token: joined.refresh_token, tenant_id: guest.tenant.id },
    });
    expect(await moved.json()).toMatchObject({ tenant: { id: guest.tenant.id } });
    expect(await auditOf(api, "member.joined")).toContainEqual(expect.objectContaining({ target: guest.user.id }));
    expect(await auditOf(api, "member.invited")).toContainEqual(expect.objectContaining({ target: rest.id }));
  });

  test("is of no use to another address, when withdrawn, or when over", async () => {
    const ask = async (json: object) =>
      (await (await invite(owner.access_token, json)).json()) as { token: string; id: string };
    const email = newEmail();
    const [a, b, c] = [
      await ask({ email, role: "member" }),
      await ask({ email, role: "member" }),
      await ask({ email, role: "member" }),
    ];
    const use = (invitation: string, as = email) =>
      post(api, "/api/v1/auth/register", { email: as, password: PASSWORD, invitation });
    await expectProblem(await use(a.token, newEmail()), 404, "not_found");
    expect(await statusOf(api, `/api/v1/members/invitations/${b.id}`, owner.access_token, { method: "DELETE" })).toBe(
      204,
    );
    await expectProblem(await use(b.token), 404, "not_found");
    await api.db.pool.query("UPDATE invitations SET expires_at = now() - interval '1 s' WHERE id = $1", [c.id]);
    await expectProblem(await use(c.token), 404, "not_found");
    await expectProblem(await use(`sri_${"A".repeat(43)}`), 404, "not_found");
    // Nothing was left behind by what was refused.
    expect((await use(a.token)).status).toBe(201);
  });

  test("never takes a role away", async () => {
    const { token } = (await (
      await invite(owner.access_token, { email: owner.user.email, role: "viewer" })
    ).json()) as {
      token: string;
    };
    const body = { email: owner.user.email, password: PASSWORD, invitation: token };
    const grant = (await (await post(api, "/api/v1/auth/login", body)).json()) as Grant;
    expect(grant.tenant.role).toBe("owner");
  });

  test.each<[string, object]>([
    ["an unknown role", { email: "a@example.com", role: "root" }],
    ["no address", { role: "member" }],
    ["what is no address", { email: "a", role: "member" }],
    ["a time too long", { email: "a@example.com", role: "member", expires_in: 1e9 }],
    ["an unknown field", { email: "a@example.com", role: "member", tenant_id: uuidV7() }],
  ])("with %s is 400", async (_what, json) => {
    expect((await invite(owner.access_token, json)).status).toBe(400);
  });

  test("to be an owner comes from owners alone; one who lacks `manage` invites nobody", async () => {
    const [admin, member] = [await memberOf(api, owner, "admin"), await memberOf(api, owner, "member")];
    const asOwner = { email: newEmail(), role: "owner" };
    await expectProblem(await invite(admin.access_token, asOwner), 403, "forbidden");
    const { key } = await makeKey(owner.access_token, ["manage", "transcribe"]);
    await expectProblem(await invite(key, asOwner), 403, "forbidden");
    await expectProblem(await invite(member.access_token, { email: newEmail(), role: "viewer" }), 403, "forbidden");
    const { key: narrow } = await makeKey(owner.access_token, ["manage"]);
    await expectProblem(await invite(narrow, { email: newEmail(), role: "member" }), 403, "forbidden");
    expect((await invite(owner.access_token, asOwner)).status).toBe(201);
  });
});

describe("members", () => {
  test("are listed, without anything secret", async () => {
    const member = await memberOf(api, owner, "member");
    const text = await (await api.call("/api/v1/members", { key: owner.access_token })).text();
    expect((JSON.parse(text) as { data: unknown[] }).data).toMatchObject([
      { user_id: owner.user.id, email: owner.user.email, role: "owner" },
      { user_id: member.user.id, role: "member" },
    ]);
    expect(text).not.toContain("argon2");
  });

  test("are changed by the next request of theirs", async () => {
    const admin = await memberOf(api, owner, "admin");
    const key = await makeKey(admin.access_token, ["manage", "read"]);
    const child = await makeKey(key.key, ["manage"]);
    const narrow = await makeKey(admin.access_token, ["read"]);
    expect((await patch(owner.access_token, admin.user.id, { role: "viewer" })).status).toBe(200);
    expect(await statusOf(api, "/api/v1/keys", admin.access_token)).toBe(403);
    // With the role go the keys that it could not make now; the others stay.
    for (const gone of [key, child]) expect(await statusOf(api, "/api/v1/keys", gone.key)).toBe(401);
    expect(await statusOf(api, "/api/v1/jobs", narrow.key)).toBe(200);
    expect(await auditOf(api, "member.role_changed")).toContainEqual(
      expect.objectContaining({ target: admin.user.id, detail: { before: "admin", after: "viewer", revoked_keys: 2 } }),
    );
  });

  test("are removed at once, with all keys they made, and rotated ones", async () => {
    const admin = await memberOf(api, owner, "admin");
    const key = await makeKey(admin.access_token, ["read", "manage"]);
    const rotated = await post(api, `/api/v1/keys/${key.id}/rotate`, { overlap_seconds: 0 }, owner.access_token);
    const { key: newer } = (await rotated.json()) as { key: string };
    expect(await statusOf(api, "/api/v1/jobs", newer)).toBe(200);
    expect((await remove(owner.access_token, admin.user.id)).status).toBe(204);
    expect(await statusOf(api, "/api/v1/jobs", admin.access_token)).toBe(401);
    expect(await statusOf(api, "/api/v1/jobs", newer)).toBe(401);
    await expectProblem(
      await post(api, "/api/v1/auth/refresh", { refresh_token: admin.refresh_token }),
      403,
      "forbidden",
    );
    await expectProblem(await remove(owner.access_token, admin.user.id), 404, "not_found");
  });

  test("an owner is unmade by owners alone, and the last one by nobody", async () => {
    const [admin, second] = [await memberOf(api, owner, "admin"), await memberOf(api, owner, "owner")];
    await expectProblem(await patch(admin.access_token, owner.user.id, { role: "viewer" }), 403, "forbidden");
    await expectProblem(await remove(admin.access_token, owner.user.id), 403, "forbidden");
    await expectProblem(await patch(admin.access_token, admin.user.id, { role: "owner" }), 403, "forbidden");
    expect((await patch(second.access_token, owner.user.id, { role: "admin" })).status).toBe(200);
    await expectProblem(await remove(second.access_token, second.user.id), 409, "conflict");
    await expectProblem(await patch(second.access_token, second.user.id, { role: "admin" }), 409, "conflict");
  });

  test("of two owners who unmake each other at the same moment one stays", async () => {
    const second = await memberOf(api, owner, "owner");
    const statuses = await Promise.all([
      remove(owner.access_token, second.user.id),
      remove(second.access_token, owner.user.id),
    ]);
    expect(statuses.filter(({ status }) => status === 204)).toHaveLength(1);
    const { rows } = await api.db.pool.query("SELECT role FROM memberships WHERE tenant_id = $1", [owner.tenant.id]);
    expect(rows).toEqual([{ role: "owner" }]);
  });

  test("cannot be given a role that there is not", async () => {
    const member = await memberOf(api, owner, "member");
    await expectProblem(await patch(owner.access_token, member.user.id, { role: "root" }), 400, "invalid_request");
    await expectProblem(await patch(owner.access_token, member.user.id, {}), 400, "invalid_request");
  });
});

describe("the operator", () => {
  const disable = (id: string, disabled: boolean) =>
    api.call(`/api/v1/admin/users/${id}`, { key: ADMIN_KEY, json: { disabled }, method: "PATCH" });

  test("finds users, and disables one with everything it holds, at once", async () => {
    const { key } = await makeKey(owner.access_token, ["read"]);
    const found = await api.call(`/api/v1/admin/users?email=${owner.user.email.toUpperCase()}`, { key: ADMIN_KEY });
    expect(await found.json()).toMatchObject({ data: [{ id: owner.user.id, disabled_at: null }], next_cursor: null });
    expect((await disable(owner.user.id, true)).status).toBe(200);
    expect(await statusOf(api, "/api/v1/auth/me", owner.access_token)).toBe(401);
    expect(await statusOf(api, "/api/v1/jobs", key)).toBe(401);
    expect((await post(api, "/api/v1/auth/refresh", { refresh_token: owner.refresh_token })).status).toBe(401);
    expect((await disable(owner.user.id, false)).status).toBe(200);
    expect(await statusOf(api, "/api/v1/auth/me", owner.access_token)).toBe(401);
    const body = { email: owner.user.email, password: PASSWORD };
    expect((await post(api, "/api/v1/auth/login", body)).status).toBe(200);
    await expectProblem(await disable(uuidV7(), true), 404, "not_found");
  });

  test("pages through users, and makes the first owner of a tenant with its own key", async () => {
    const first = await api.call("/api/v1/admin/users?limit=1", { key: ADMIN_KEY });
    const page = (await first.json()) as { data: { id: string }[]; next_cursor: string };
    const next = await api.call(`/api/v1/admin/users?limit=1&cursor=${page.next_cursor}`, { key: ADMIN_KEY });
    expect(((await next.json()) as typeof page).data[0]?.id).not.toBe(page.data[0]?.id);
    const { key } = await api.makeKey(["manage", "transcribe"], { tenant: "operated" });
    expect((await invite(key, { email: newEmail(), role: "owner" })).status).toBe(201);
  });
});

describe("where the operator", () => {
  test("has not turned accounts on, their routes are 503 naming the setting, and tokens open nothing", async () => {
    const off = await startTestApi();
    try {
      for (const [method, path] of [
        ["POST", "/api/v1/auth/register"],
        ["POST", "/api/v1/auth/login"],
        ["POST", "/api/v1/auth/refresh"],
        ["POST", "/api/v1/auth/logout"],
        ["GET", "/api/v1/auth/me"],
        ["GET", "/api/v1/members"],
      ] as const) {
        const response = await off.call(path, method === "POST" ? { json: {} } : {});
        expect(response.headers.get("retry-after")).toBeNull();
        const problem = await expectProblem(response, 503, "service_unavailable");
        expect(problem.detail).toContain("ACCOUNTS");
      }
      await expectProblem(await off.call("/api/v1/jobs", { key: owner.access_token }), 401, "unauthorized");
    } finally {
      await off.stop();
    }
  });

  test("lets nobody register without an invitation, that is so", async () => {
    const closed = await startAccounts({ ACCOUNTS: "invite" });
    try {
      const body = { email: newEmail(), password: PASSWORD };
      await expectProblem(await post(closed, "/api/v1/auth/register", body), 403, "forbidden");
      const invited = await post(
        closed,
        "/api/v1/members/invitations",
        { email: body.email, role: "owner" },
        ADMIN_KEY,
      );
      const { token } = (await invited.json()) as { token: string };
      const grant = await registered(closed, { ...body, invitation: token });
      expect(grant.tenant).toMatchObject({ name: "default", role: "owner" });
    } finally {
      await closed.stop();
    }
  });

  test("limits an address, strangers are stopped there, and other routes are not", async () => {
    const strict = await startAccounts({ RATE_LIMIT_AUTH: "2" });
    try {
      const wrong = { refresh_token: `srr_${"A".repeat(43)}` };
      const statuses = [];
      for (let at = 0; at < 3; at++) statuses.push((await post(strict, "/api/v1/auth/refresh", wrong)).status);
      expect(statuses).toEqual([401, 401, 429]);
      const refused = await post(strict, "/api/v1/auth/login", { email: newEmail(), password: PASSWORD });
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      await expectProblem(refused, 429, "rate_limited");
      expect(await statusOf(strict, "/api/v1/jobs", strict.key)).toBe(200);
    } finally {
      await strict.stop();
    }
  });

  test("turns them on without a secret, the start fails and says so", async () => {
    await expect(startTestApi({ ACCOUNTS: "on" })).rejects.toThrow("JWT_SECRET is required with ACCOUNTS=on");
    const short = startTestApi({ ACCOUNTS: "on", JWT_SECRET: "a-short-secret" });
    await expect(short).rejects.toThrow("JWT_SECRET must have 32 bytes or more");
    await expect(short).rejects.not.toThrow("a-short-secret");
  });
});
