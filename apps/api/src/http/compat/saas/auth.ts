import { getUser } from "@scribe/database";
import { safeText } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { unauthorized } from "../../../limits/look-up-session.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import { logIn } from "../../auth-login.ts";
import { registerUser } from "../../auth-register.ts";
import {
  emailField,
  type grantSchema,
  invitationField,
  passwordField,
  toUserView,
  userOf,
  userSchema,
} from "../../auth-view.ts";
import { accountsOf } from "../../middleware/require-accounts.ts";
import { sendJson } from "../../send-json.ts";

export const TAG = "SaaS backend";

const tokenSchema = answerSchema(
  "SaasToken",
  z.object({ access_token: z.string(), token_type: z.literal("bearer"), expires_in: z.int(), user: userSchema }),
);

/**
 * The rest of ours (tenants, a refresh token) nobody here knew; so the access token is good for longer. Each request looks
 * at its session, so that whatever ends that ends it, too.
 */
function toTokenView(api: Api, { access_token, user }: z.output<typeof grantSchema>): z.output<typeof tokenSchema> {
  const { access } = accountsOf(api);
  const claims = access.read(access_token);
  if (typeof claims === "string") throw new Error("A token that was just issued cannot be read.");
  const seconds = api.config.compat.COMPAT_SAAS_TOKEN_MINUTES * 60;
  return { access_token: access.issue(claims, seconds), token_type: "bearer", expires_in: seconds, user };
}

export const saasRegister = defineRoute({
  method: "post",
  path: "/compat/saas/auth/register",
  operationId: "saasRegister",
  summary: "Make an account as the SaaS backend does, and log in",
  tag: TAG,
  scope: null,
  accounts: true,
  query: "anything",
  body: {
    kind: "json",
    schema: z.looseObject({
      email: emailField,
      password: passwordField,
      name: safeText(128).min(1).optional(),
      invitation: invitationField.optional(),
    }),
  },
  answers: { 200: { description: "The account, logged in", schema: tokenSchema } },
  handle:
    (api) =>
    async ({ request, response, body }) =>
      sendJson(response, 200, toTokenView(api, await registerUser(api, request, body))),
});

export const saasLogin = defineRoute({
  method: "post",
  path: "/compat/saas/auth/login",
  operationId: "saasLogIn",
  summary: "Log in as at the SaaS backend",
  tag: TAG,
  scope: null,
  accounts: true,
  query: "anything",
  body: { kind: "json", schema: z.looseObject({ email: emailField, password: passwordField }) },
  answers: { 200: { description: "Logged in", schema: tokenSchema } },
  handle:
    (api) =>
    async ({ request, response, body: { email, password } }) =>
      sendJson(response, 200, toTokenView(api, await logIn(api, request, { email, password }))),
});

export const saasMe = defineRoute({
  method: "get",
  path: "/compat/saas/auth/me",
  operationId: "saasMe",
  summary: "Who is logged in",
  tag: TAG,
  scope: "read",
  accounts: true,
  query: "anything",
  answers: { 200: { description: "The user", schema: userSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller }) => {
      const user = await getUser(db, userOf(caller).id);
      if (user === null) throw unauthorized("There is no such user any more.");
      sendJson(response, 200, toUserView(user));
    },
});
