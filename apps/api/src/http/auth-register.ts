import { hashToken, passwordProblem } from "@scribe/accounts";
import { audit, createUser, tenantsOfUser } from "@scribe/database";
import { RequestError, safeText } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { limitAuth, whenFree } from "./auth-limits.ts";
import {
  chooseTenant,
  emailField,
  grantSchema,
  grantSession,
  invitationField,
  passwordField,
  refuseField,
} from "./auth-view.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { notFound } from "./middleware/render-problem.ts";
import { accountsOf } from "./middleware/require-accounts.ts";
import { sendJson } from "./send-json.ts";

const registerBody = requestSchema(
  "Register",
  z.strictObject({
    email: emailField,
    password: passwordField.meta({ description: "12 to 128 characters, and not the e-mail address" }),
    name: safeText(128).min(1).optional(),
    invitation: invitationField.optional(),
  }),
);

export const register = defineRoute({
  method: "post",
  path: "/api/v1/auth/register",
  operationId: "register",
  summary: "Make an account, with a tenant of its own, and log in",
  description:
    "With an invitation, for the address that was invited, the account joins the tenant that invited instead. 409 where there is an account of this address.",
  tag: "Accounts",
  scope: null,
  accounts: true,
  body: { kind: "json", schema: registerBody },
  answers: { 201: { description: "The account, logged in", schema: grantSchema } },
  handle:
    (api) =>
    async ({ request, response, body }) => {
      // Its record would have to hold tokens, and nothing ever does.
      refuseIdempotencyKey(request);
      sendJson(response, 201, await registerUser(api, request, body));
    },
});

/**
 * Makes an account and logs in; what it answers is the same at every door.
 *
 * @throws RequestError 400, 403, 404, 409, 429 or 503
 */
export async function registerUser(
  api: Api,
  request: Request,
  { email, password, name, invitation }: z.output<typeof registerBody>,
): Promise<z.output<typeof grantSchema>> {
  await limitAuth(api, request);
  const { passwords, invitedOnly } = accountsOf(api);
  const problem = passwordProblem(password, email);
  if (problem !== null) refuseField("password", problem);
  if (invitedOnly && invitation === undefined) {
    throw new RequestError("forbidden", "Registering takes an invitation here.");
  }
  const passwordHash = await whenFree(passwords.hash(password));
  const made = await createUser(api.db, {
    ...{ email, name, passwordHash },
    invitation: invitation === undefined ? undefined : hashToken(invitation),
  });
  if (made === "uninvited") throw notFound("invitation");
  const act = { action: "user.registered", address: request.ip };
  if (made === "taken") {
    await audit(api.db, { ...act, actor: "anonymous", action: "user.not_registered", detail: { why: "taken" } });
    throw new RequestError("conflict", "There is an account of this e-mail address.");
  }
  const { user, tenantId } = made;
  const tenant = chooseTenant(await tenantsOfUser(api.db, user.id), { before: tenantId });
  await audit(api.db, {
    ...{ ...act, tenantId, actor: `user:${user.id}`, target: user.id },
    detail: { role: tenant.role, invited: invitation !== undefined },
  });
  return await grantSession(api, user, tenant);
}
