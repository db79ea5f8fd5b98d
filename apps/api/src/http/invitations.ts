import { hashToken, newInvitationToken } from "@scribe/accounts";
import { audit, type InvitationRow, tenantInvitations } from "@scribe/database";
import { ROLES } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { emailField } from "./auth-view.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { refuseHigherRole } from "./members.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";

const HOUR_SECONDS = 3600;
const USUAL_SECONDS = 7 * 24 * HOUR_SECONDS;
const MOST_SECONDS = 30 * 24 * HOUR_SECONDS;

const invitationShape = {
  id: z.uuid(),
  email: z.string(),
  role: z.enum(ROLES),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
} as const;
const invitationSchema = answerSchema("Invitation", z.object(invitationShape));

const inviteBody = requestSchema(
  "Invite",
  z.strictObject({
    email: emailField,
    role: z.enum(ROLES),
    expires_in: z
      .int()
      .min(60)
      .max(MOST_SECONDS)
      .optional()
      .meta({ description: "Seconds; a week where absent, 30 days at most" }),
  }),
);

export const postInvitation = defineRoute({
  method: "post",
  path: "/api/v1/members/invitations",
  operationId: "invite",
  summary: "Invite somebody to the own tenant",
  description:
    "The token is yours to send: with it the address registers, or, where it has an account, logs in. The answer is the same for both.",
  tag: "Accounts",
  scope: "manage",
  accounts: true,
  body: { kind: "json", schema: inviteBody },
  answers: {
    201: {
      description: "The invitation",
      schema: answerSchema(
        "NewInvitation",
        z.object({ ...invitationShape, token: z.string().meta({ description: "Shown here, and never again" }) }),
      ),
    },
  },
  handle:
    ({ db }) =>
    async ({ request, response, caller, body }) => {
      refuseIdempotencyKey(request);
      refuseHigherRole(caller, body.role);
      const token = newInvitationToken();
      const expiresAt = new Date(Date.now() + (body.expires_in ?? USUAL_SECONDS) * 1000);
      const { email, role } = body;
      const made = await tenantInvitations(db, caller.tenantId).create({
        ...{ email, role, expiresAt, tokenHash: hashToken(token) },
      });
      await audit(db, {
        ...{ tenantId: caller.tenantId, actor: caller.publicId, action: "member.invited", target: made.id },
        ...{ address: request.ip, detail: { role } },
      });
      sendJson(response, 201, { ...toView(made), token });
    },
});

export const getInvitations = defineRoute({
  method: "get",
  path: "/api/v1/members/invitations",
  operationId: "listInvitations",
  summary: "Invitations that wait to be accepted",
  tag: "Accounts",
  scope: "manage",
  accounts: true,
  answers: {
    200: {
      description: "The invitations, oldest first",
      schema: answerSchema("InvitationList", z.object({ data: z.array(invitationSchema) })),
    },
  },
  handle:
    ({ db }) =>
    async ({ response, caller }) => {
      sendJson(response, 200, { data: (await tenantInvitations(db, caller.tenantId).list()).map(toView) });
    },
});

export const deleteInvitation = defineRoute({
  method: "delete",
  path: "/api/v1/members/invitations/{id}",
  operationId: "withdrawInvitation",
  summary: "Withdraw an invitation",
  tag: "Accounts",
  scope: "manage",
  accounts: true,
  answers: { 204: { description: "It opens nothing any more" } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params }) => {
      const id = idFrom(params, "invitation");
      const gone = await tenantInvitations(db, caller.tenantId).withdraw(id);
      if (gone === null) throw notFound("invitation");
      await audit(db, {
        ...{ tenantId: caller.tenantId, actor: caller.publicId, action: "member.uninvited", target: id },
        ...{ address: request.ip, detail: { role: gone.role } },
      });
      response.status(204).end();
    },
});

function toView({ id, email, role, createdAt, expiresAt }: InvitationRow): z.output<typeof invitationSchema> {
  return { id, email, role, created_at: createdAt.toISOString(), expires_at: expiresAt.toISOString() };
}
