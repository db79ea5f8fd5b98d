import { audit, type MemberRow, type tenantMembers as Members, tenantMembers } from "@scribe/database";
import { hasScope, RequestError, ROLE_SCOPES, ROLES, type Role } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { refuseEscalation } from "./key-view.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";

const memberSchema = answerSchema(
  "Member",
  z.object({
    user_id: z.uuid(),
    email: z.string(),
    name: z.string().nullable(),
    role: z.enum(ROLES),
    created_at: z.iso.datetime(),
  }),
);

/** Owners are made and unmade by owners, and with keys that came from the operator. */
function mayTouchOwners({ user, madeBy, scopes }: Caller): boolean {
  return user?.role === "owner" || madeBy === null || hasScope(scopes, "admin");
}

/** Nobody hands out a role with more than the own scopes. */
export function refuseHigherRole(caller: Caller, role: Role): void {
  refuseEscalation(caller, ROLE_SCOPES[role]);
  if (role === "owner" && !mayTouchOwners(caller)) throw new RequestError("forbidden", "Only an owner makes owners.");
}

export const getMembers = defineRoute({
  method: "get",
  path: "/api/v1/members",
  operationId: "listMembers",
  summary: "Who belongs to the own tenant",
  tag: "Accounts",
  scope: "manage",
  accounts: true,
  answers: {
    200: {
      description: "The members, the longest first",
      schema: answerSchema("MemberList", z.object({ data: z.array(memberSchema) })),
    },
  },
  handle:
    ({ db }) =>
    async ({ response, caller }) => {
      sendJson(response, 200, { data: (await tenantMembers(db, caller.tenantId).list()).map(toView) });
    },
});

export const patchMember = defineRoute({
  method: "patch",
  path: "/api/v1/members/{id}",
  operationId: "changeRole",
  summary: "Give a member another role",
  description:
    "Seen by the member's next request. Keys that the member made and that the new role could not make are revoked. The last owner stays one.",
  tag: "Accounts",
  scope: "manage",
  accounts: true,
  body: { kind: "json", schema: requestSchema("ChangeRole", z.strictObject({ role: z.enum(ROLES) })) },
  answers: { 200: { description: "The member as it is now", schema: memberSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, params, body }) => {
      const id = idFrom(params, "member");
      const members = tenantMembers(api.db, caller.tenantId);
      if ((await members.get(id)) === null) throw notFound("member");
      refuseHigherRole(caller, body.role);
      const changed = await members.changeRole(id, body.role, { owners: mayTouchOwners(caller) });
      const { member } = await settle(api, { request, caller, action: "member.role_changed" }, changed);
      sendJson(response, 200, toView(member));
    },
});

export const deleteMember = defineRoute({
  method: "delete",
  path: "/api/v1/members/{id}",
  operationId: "removeMember",
  summary: "Take a member out of the own tenant, with the keys it made",
  tag: "Accounts",
  scope: "manage",
  accounts: true,
  answers: { 204: { description: "Its access has ended" } },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const id = idFrom(params, "member");
      const removed = await tenantMembers(api.db, caller.tenantId).remove(id, { owners: mayTouchOwners(caller) });
      await settle(api, { request, caller, action: "member.removed" }, removed);
      response.status(204).end();
    },
});

type Outcome = Awaited<ReturnType<ReturnType<typeof Members>["remove"]>>;

async function settle(
  { db }: Api,
  { request, caller, action }: { request: Request; caller: Caller; action: string },
  outcome: Outcome,
) {
  if (outcome === null) throw notFound("member");
  if (outcome === "not allowed") throw new RequestError("forbidden", "Only an owner unmakes owners.");
  if (outcome === "last owner") throw new RequestError("conflict", "A tenant keeps one owner at least.");
  const { before, member, revokedKeys } = outcome;
  await audit(db, {
    ...{ tenantId: caller.tenantId, actor: caller.publicId, action, target: member.userId, address: request.ip },
    detail: { before, after: action === "member.removed" ? null : member.role, revoked_keys: revokedKeys },
  });
  return outcome;
}

function toView({ userId, email, name, role, createdAt }: MemberRow): z.output<typeof memberSchema> {
  return { user_id: userId, email, name, role, created_at: createdAt.toISOString() };
}
