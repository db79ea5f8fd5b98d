import { setTimeout as sleep } from "node:timers/promises";
import { hashToken } from "@scribe/accounts";
import { audit, getUser, moveSession, rotateRefreshToken, sessionOfToken, tenantsOfUser } from "@scribe/database";
import { z } from "zod";
import { unauthorized } from "../limits/look-up-session.ts";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { limitAuth } from "./auth-limits.ts";
import { chooseTenant, grantSchema, refreshField, toGrantView } from "./auth-view.ts";
import { accountsOf } from "./middleware/require-accounts.ts";
import { sendJson } from "./send-json.ts";

/**
 * Who shows a token within this time of its use cannot have had the answer to that yet, for no answer leaves sooner: it
 * asked at the same moment, as two windows of one browser do, and gets the same successor. Later, it is a token reused.
 */
const OVERLAP_MS = 100;
/** Between the database's clock and the answer. */
const MARGIN_MS = 10;

const refreshBody = requestSchema(
  "Refresh",
  z.strictObject({
    refresh_token: refreshField,
    tenant_id: z.uuid().optional().meta({ description: "From now on for this one of the user's tenants" }),
  }),
);

export const refresh = defineRoute({
  method: "post",
  path: "/api/v1/auth/refresh",
  operationId: "refreshSession",
  summary: "Trade a refresh token for new tokens",
  description:
    "A refresh token is good for one refresh. One that is shown again ends its session with all its tokens: one of the two who had it stole it.",
  tag: "Accounts",
  scope: null,
  accounts: true,
  body: { kind: "json", schema: refreshBody },
  answers: { 200: { description: "New tokens", schema: grantSchema } },
  handle:
    (api) =>
    async ({ request, response, body }) => {
      await limitAuth(api, request);
      const { db } = api;
      const tokenHash = hashToken(body.refresh_token);
      const refreshToken = accountsOf(api).refresh.successor(body.refresh_token);
      const session = await sessionOfToken(db, tokenHash);
      const user = session && (await getUser(db, session.userId));
      if (session === null || user === null) throw invalid();
      const { sessionId } = session;
      // Before the token is used up: who asks for a wrong tenant still has it.
      const tenant = chooseTenant(await tenantsOfUser(db, user.id), {
        asked: body.tenant_id,
        before: session.tenantId,
      });
      const rotated = await rotateRefreshToken(db, {
        ...{ tokenHash, successorHash: hashToken(refreshToken), overlapMs: OVERLAP_MS },
      });
      if (rotated.kind === "reused") {
        await audit(db, {
          ...{ tenantId: session.tenantId, actor: `user:${user.id}`, action: "session.reused", target: sessionId },
          address: request.ip,
        });
      }
      if (rotated.kind !== "rotated") throw invalid();
      if (tenant.id !== session.tenantId) await moveSession(db, sessionId, tenant.id);
      await sleep(OVERLAP_MS + MARGIN_MS);
      sendJson(response, 200, toGrantView(api, { user, tenant, sessionId, refreshToken }));
    },
});

function invalid() {
  return unauthorized("This refresh token is not valid.");
}
