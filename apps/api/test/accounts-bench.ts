import { createHmac } from "node:crypto";
import type { Role } from "@scribe/domain";
import { startTestApi, type TestApi } from "./start-test-api.ts";

const JWT_SECRET = "0123456789abcdef0123456789abcdef-test";
export const PASSWORD = "correct horse battery";

export interface Grant {
  access_token: string;
  token_type: string;
  expires_in: number;
  refresh_token: string;
  user: { id: string; email: string };
  tenant: { id: string; name: string; role: Role; scopes: string[] };
}

/** An API with accounts. Limits by address are far off unless a test sets them: all tests have one address. */
export async function startAccounts(
  env: Record<string, string> = {},
  waits: Parameters<typeof startTestApi>[1] = {},
): Promise<TestApi> {
  return await startTestApi({ ACCOUNTS: "on", JWT_SECRET, RATE_LIMIT_AUTH: "1000000", ...env }, waits);
}

let made = 0;
export const newEmail = () => `user${++made}@example.com`;

export async function post(api: TestApi, path: string, json: unknown, key: string | null = null): Promise<Response> {
  return await api.call(path, { json, key });
}

/** Registers somebody; `over` goes into the body. */
export async function registered(api: TestApi, over: object = {}): Promise<Grant> {
  const response = await post(api, "/api/v1/auth/register", { email: newEmail(), password: PASSWORD, ...over });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as Grant;
}

export const logIn = (api: TestApi, email: string, password = PASSWORD, over: object = {}) =>
  post(api, "/api/v1/auth/login", { email, password, ...over });

export const refresh = (api: TestApi, refresh_token: string, over: object = {}) =>
  post(api, "/api/v1/auth/refresh", { refresh_token, ...over });

export const grantOf = async (response: Promise<Response>) => (await (await response).json()) as Grant;

/** The status of being told who one is. */
export const me = (api: TestApi, token: string) => statusOf(api, "/api/v1/auth/me", token);

/** Somebody with a role in the tenant of `owner`. */
export async function memberOf(api: TestApi, owner: Grant, role: Role): Promise<Grant> {
  const email = newEmail();
  const invited = await post(api, "/api/v1/members/invitations", { email, role }, owner.access_token);
  const { token } = (await invited.json()) as { token: string };
  return await registered(api, { email, invitation: token });
}

export async function statusOf(api: TestApi, path: string, key: string, init: object = {}): Promise<number> {
  const response = await api.call(path, { key, ...init });
  await response.arrayBuffer();
  return response.status;
}

/** The tries that an address has made count for all tests of a file: forgets them. */
export async function forgetTries(api: TestApi): Promise<void> {
  await api.db.pool.query("DELETE FROM login_attempts");
}

export async function auditOf(api: TestApi, action: string) {
  const { rows } = await api.db.pool.query("SELECT * FROM audit WHERE action = $1 ORDER BY id", [action]);
  return rows as { actor: string; target: string | null; tenant_id: string | null; detail: Record<string, unknown> }[];
}

/** A token with other claims or another header, signed as ours are. */
export function resign(token: string, change: object, header: object = { alg: "HS256", typ: "JWT" }): string {
  const body = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as object;
  const text = [header, { ...body, ...change }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${text}.${createHmac("sha256", JWT_SECRET).update(text).digest("base64url")}`;
}
