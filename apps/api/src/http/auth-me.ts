import { getUser, tenantsOfUser } from "@scribe/database";
import { z } from "zod";
import { unauthorized } from "../limits/look-up-session.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { chooseTenant, toTenantView, toUserView, userOf, userSchema, userTenantSchema } from "./auth-view.ts";
import { sendJson } from "./send-json.ts";

const meSchema = answerSchema(
  "Me",
  z.object({
    user: userSchema,
    tenant: userTenantSchema.meta({ description: "For which this request was made" }),
    tenants: z.array(userTenantSchema),
  }),
);

export const getMe = defineRoute({
  method: "get",
  path: "/api/v1/auth/me",
  operationId: "getMe",
  summary: "Who is logged in, and for which tenants",
  tag: "Accounts",
  scope: "read",
  accounts: true,
  headers: { "X-Tenant-Id": "Another of the user's tenants than the access token names; so on every route" },
  answers: { 200: { description: "The user", schema: meSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller }) => {
      const { id } = userOf(caller);
      const [user, tenants] = await Promise.all([getUser(db, id), tenantsOfUser(db, id)]);
      if (user === null) throw unauthorized("There is no such user any more.");
      const tenant = chooseTenant(tenants, { asked: caller.tenantId });
      sendJson(response, 200, {
        user: toUserView(user),
        tenant: toTenantView(tenant),
        tenants: tenants.map(toTenantView),
      });
    },
});
