import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import type { Stage, StageUser } from "../stage/open-stage.ts";

type Expect = (what: string, status: number, path: string, init: Parameters<Stage["call"]>[1]) => Promise<void>;

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const LOCKED_AFTER = 5;

/** Access tokens that nobody issued, and those whose time is over; refresh tokens twice; passwords until the lock. */
export async function forgeTokens(stage: Stage, expect: Expect): Promise<void> {
  const user = await stage.makeUser();
  await expect("an access token", 200, "/api/v1/jobs", { key: user.accessToken });
  for (const [what, token] of forged(user.accessToken, stage.jwtSecret)) {
    for (const path of ["/api/v1/jobs", "/v1/models", "/assemblyai/v2/transcript"]) {
      await expect(`a token ${what} at ${path}`, 401, path, { key: token });
    }
  }
  const { key } = await stage.makeKey(["admin"]);
  for (const path of ["tenants", "api-keys", "audit", "jobs", "queues", "users"]) {
    await expect(`an owner at admin/${path}`, 403, `/api/v1/admin/${path}`, { key: user.accessToken });
  }
  await expect("a key at auth/me", 403, "/api/v1/auth/me", { key });
  await otherTenants(stage, expect, user);
  await refreshTwice(expect, user);
  await lockOut(expect, user);
}

function* forged(good: string, secret: string): Generator<[string, string]> {
  const [header = "", body = "", signature = ""] = good.split(".");
  const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
  const signed = (head: unknown, said: unknown, hash = "sha256", under: string | Buffer = secret) => {
    const text = `${encode(head)}.${encode(said)}`;
    return `${text}.${createHmac(hash, under).update(text).digest("base64url")}`;
  };
  const HS256 = { alg: "HS256", typ: "JWT" };
  yield ["of algorithm none", `${encode({ alg: "none", typ: "JWT" })}.${body}.`];
  yield ["of algorithm None, with our signature", `${encode({ alg: "None" })}.${body}.${signature}`];
  for (const [alg, hash] of [
    ["HS384", "sha384"],
    ["HS512", "sha512"],
    ["hs256", "sha256"],
  ] as const) {
    yield [`of algorithm ${alg}`, signed({ alg, typ: "JWT" }, claims, hash)];
  }
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rs256 = `${encode({ alg: "RS256", typ: "JWT" })}.${body}`;
  yield ["of algorithm RS256", `${rs256}.${sign("sha256", Buffer.from(rs256), privateKey).toString("base64url")}`];
  const pem = publicKey.export({ type: "spki", format: "pem" });
  yield ["signed with a public key", signed({ ...HS256, jwk: {} }, claims, "sha256", pem)];
  yield ["with a kid of its own", signed({ ...HS256, kid: "../../../dev/null" }, claims, "sha256", "")];
  yield ["under another secret", signed(HS256, claims, "sha256", "x".repeat(32))];
  yield ["of another audience", signed(HS256, { ...claims, aud: "somebody-else" })];
  yield ["of another issuer", signed(HS256, { ...claims, iss: "somebody-else" })];
  yield ["that has expired", signed(HS256, { ...claims, iat: 1, exp: 2 })];
  yield ["without an end", signed(HS256, { ...claims, exp: undefined })];
  yield ["from the future", signed(HS256, { ...claims, iat: 4e9, exp: 5e9 })];
  yield ["of nobody", signed(HS256, { ...claims, sub: "01900000-0000-7000-8000-000000000000" })];
  yield ["of no session", signed(HS256, { ...claims, sid: "01900000-0000-7000-8000-000000000000" })];
  yield ["of another tenant", signed(HS256, { ...claims, tid: "01900000-0000-7000-8000-000000000000" })];
  yield ["with another body", `${header}.${encode({ ...claims, exp: 4e9 })}.${signature}`];
  yield ["cut", good.slice(0, -4)];
  yield ["with a fourth part", `${good}.x`];
}

/** What `X-Tenant-Id` opens: the user's own tenants, and nothing with a key. */
async function otherTenants(stage: Stage, expect: Expect, user: StageUser): Promise<void> {
  const other = await stage.makeUser();
  const as = (tenantId: string) => ({ key: user.accessToken, headers: { "x-tenant-id": tenantId } });
  await expect("the own tenant", 200, "/api/v1/jobs", as(user.tenantId));
  for (const id of [other.tenantId, "01900000-0000-7000-8000-000000000000", "x", "' OR 1=1", `${user.tenantId}x`]) {
    for (const path of ["/api/v1/jobs", "/api/v1/members", "/v1/models"]) {
      await expect(`the tenant ${id} at ${path}`, 404, path, as(id));
    }
  }
  const { key } = await stage.makeKey(["manage"]);
  const keys = (await stage.call("/api/v1/keys", { key, headers: { "x-tenant-id": user.tenantId } })).text;
  await expect("a key with X-Tenant-Id sees its own tenant", keys.includes("attack") ? 200 : 0, "/api/v1/keys", {
    key,
  });
}

async function refreshTwice(expect: Expect, user: StageUser): Promise<void> {
  const json = { refresh_token: user.refreshToken };
  await expect("a refresh token", 200, "/api/v1/auth/refresh", { key: null, json, handsOver: true });
  // Requests of one moment share a successor; after it, a token that comes again was stolen from one of two.
  await new Promise((done) => setTimeout(done, 1_500));
  await expect("a refresh token again", 401, "/api/v1/auth/refresh", { key: null, json, handsOver: true });
  await expect("the session that it ended", 401, "/api/v1/jobs", { key: user.accessToken });
}

async function lockOut(expect: Expect, { email, password }: StageUser): Promise<void> {
  const logIn = (json: object) => ({ key: null, json, handsOver: true });
  for (let tries = 0; tries < LOCKED_AFTER; tries++) {
    await expect("a wrong password", 401, "/api/v1/auth/login", logIn({ email, password: "wrong wrong wrong" }));
  }
  await expect("the right password of a locked account", 429, "/api/v1/auth/login", logIn({ email, password }));
}
