import { hashToken } from "@scribe/accounts";
import {
  acceptInvitation,
  audit,
  clearAttempts,
  findUser,
  replacePasswordHash,
  tenantsOfUser,
  type UserRow,
} from "@scribe/database";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../api.ts";
import { unauthorized } from "../limits/look-up-session.ts";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { attemptBuckets, countTry, limitAuth, whenFree } from "./auth-limits.ts";
import { chooseTenant, emailField, grantSchema, grantSession, invitationField, passwordField } from "./auth-view.ts";
import { notFound } from "./middleware/render-problem.ts";
import { accountsOf } from "./middleware/require-accounts.ts";
import { sendJson } from "./send-json.ts";

const loginBody = requestSchema(
  "LogIn",
  z.strictObject({
    email: emailField,
    password: passwordField,
    tenant_id: z.uuid().optional().meta({ description: "For which of the user's tenants; the oldest where absent" }),
    invitation: invitationField.optional(),
  }),
);

export const login = defineRoute({
  method: "post",
  path: "/api/v1/auth/login",
  operationId: "logIn",
  summary: "Log in",
  description:
    "401 for a wrong password and for an unknown address, in the same words and the same time. After five tries that fail, an account is locked (429 with `Retry-After`), for longer each time; so is an address after twenty.",
  tag: "Accounts",
  scope: null,
  accounts: true,
  body: { kind: "json", schema: loginBody },
  answers: { 200: { description: "Logged in", schema: grantSchema } },
  handle:
    (api) =>
    async ({ request, response, body }) => {
      sendJson(response, 200, await logIn(api, request, body));
    },
});

/**
 * A session for who knows an account's password; what it answers is the same at every door.
 *
 * @throws RequestError 401, 403, 404, 429 or 503
 */
export async function logIn(
  api: Api,
  request: Request,
  body: z.output<typeof loginBody>,
): Promise<z.output<typeof grantSchema>> {
  await limitAuth(api, request);
  const user = await checkPassword(api, request, body);
  const joined = body.invitation === undefined ? undefined : await join(api, request, user, body.invitation);
  const tenants = await tenantsOfUser(api.db, user.id);
  const tenant = chooseTenant(tenants, { asked: joined ?? body.tenant_id });
  const granted = await grantSession(api, user, tenant);
  api.metrics.logins.inc({ outcome: "succeeded" });
  await audit(api.db, {
    ...{ tenantId: tenant.id, actor: `user:${user.id}`, action: "login.succeeded", target: user.id },
    address: request.ip,
  });
  return granted;
}

/**
 * The user of an address and a password. The same is done, and as much is written, whether there is such a user or not.
 *
 * @throws RequestError 401, 429 or 503
 */
export async function checkPassword(
  api: Api,
  request: Request,
  { email, password }: { email: string; password: string },
): Promise<UserRow> {
  const { db } = api;
  const { passwords } = accountsOf(api);
  await countTry(api, request, email);
  const user = await findUser(db, email);
  const { right, outdated } = await whenFree(passwords.verify(password, user?.passwordHash ?? null));
  if (!right || user === null || user.disabledAt !== null) {
    api.metrics.logins.inc({ outcome: "failed" });
    // What was typed as an address may have been the password: of an unknown one nothing is written.
    await audit(db, { actor: "anonymous", action: "login.failed", target: user?.id, address: request.ip });
    throw unauthorized("The e-mail address or the password is wrong.");
  }
  await clearAttempts(db, attemptBuckets(request, email));
  if (outdated) {
    const after = await whenFree(passwords.hash(password));
    if (await replacePasswordHash(db, { userId: user.id, before: user.passwordHash, after })) {
      return { ...user, passwordHash: after };
    }
  }
  return user;
}

async function join({ db }: Api, request: Request, user: UserRow, invitation: string): Promise<string> {
  const accepted = await acceptInvitation(db, { user, invitation: hashToken(invitation) });
  if (accepted === null) throw notFound("invitation");
  await audit(db, {
    ...{ tenantId: accepted.tenantId, actor: `user:${user.id}`, action: "member.joined", target: user.id },
    ...{ address: request.ip, detail: { role: accepted.role } },
  });
  return accepted.tenantId;
}
