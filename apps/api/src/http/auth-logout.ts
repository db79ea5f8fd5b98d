import { hashToken } from "@scribe/accounts";
import { audit, endSessions, sessionOfToken } from "@scribe/database";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { limitAuth } from "./auth-limits.ts";
import { refreshField } from "./auth-view.ts";

const logoutBody = requestSchema(
  "LogOut",
  z.strictObject({
    refresh_token: refreshField,
    everywhere: z.boolean().optional().meta({ description: "All of the user's sessions; false where absent" }),
  }),
);

export const logout = defineRoute({
  method: "post",
  path: "/api/v1/auth/logout",
  operationId: "logOut",
  summary: "End a session: its refresh tokens and its access tokens, at once",
  description: "204 whether or not the token was good: then, too, it opens nothing.",
  tag: "Accounts",
  scope: null,
  accounts: true,
  body: { kind: "json", schema: logoutBody },
  answers: { 204: { description: "The session has ended" } },
  handle:
    (api) =>
    async ({ request, response, body }) => {
      await limitAuth(api, request);
      const session = await sessionOfToken(api.db, hashToken(body.refresh_token));
      if (session !== null) {
        const { userId, sessionId, tenantId } = session;
        const which = body.everywhere === true ? { all: true as const } : { only: sessionId };
        const sessions = await endSessions(api.db, { userId, why: "logout", ...which });
        await audit(api.db, {
          ...{ tenantId, actor: `user:${userId}`, action: "logout", target: sessionId, address: request.ip },
          detail: { sessions },
        });
      }
      response.status(204).end();
    },
});
