import { audit, disableUser, listUsers, type UserRow } from "@scribe/database";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { emailField, toUserView, userSchema } from "./auth-view.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { pageQuery, readPage, toPage } from "./page-after.ts";
import { sendJson } from "./send-json.ts";

const instanceUser = answerSchema("InstanceUser", userSchema.extend({ disabled_at: z.iso.datetime().nullable() }));

export const getUsers = defineRoute({
  method: "get",
  path: "/api/v1/admin/users",
  operationId: "listUsers",
  summary: "All users, oldest first",
  tag: "Administration",
  scope: "admin",
  accounts: true,
  query: z.strictObject({ ...pageQuery, email: emailField.optional() }),
  answers: {
    200: {
      description: "A page of users",
      schema: answerSchema("UserList", z.object({ data: z.array(instanceUser), next_cursor: z.string().nullable() })),
    },
  },
  handle:
    ({ db }) =>
    async ({ response, query }) => {
      const { limit, cursor } = readPage(query);
      const rows = await listUsers(db, { limit: limit + 1, after: cursor, email: query.email });
      sendJson(response, 200, toPage(rows, limit, toView));
    },
});

export const patchUser = defineRoute({
  method: "patch",
  path: "/api/v1/admin/users/{id}",
  operationId: "updateUser",
  summary: "Disable a user, or enable it again",
  description: "A disabled user's sessions end at once, and the keys that it made are revoked for good.",
  tag: "Administration",
  scope: "admin",
  accounts: true,
  body: { kind: "json", schema: requestSchema("UpdateUser", z.strictObject({ disabled: z.boolean() })) },
  answers: { 200: { description: "The user as it is now", schema: instanceUser } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params, body }) => {
      const id = idFrom(params, "user");
      const changed = await disableUser(db, id, body.disabled);
      if (changed === null) throw notFound("user");
      await audit(db, {
        ...{ tenantId: caller.tenantId, actor: caller.publicId, target: id, address: request.ip },
        action: body.disabled ? "user.disabled" : "user.enabled",
      });
      sendJson(response, 200, toView(changed));
    },
});

function toView(user: UserRow): z.output<typeof instanceUser> {
  return { ...toUserView(user), disabled_at: user.disabledAt?.toISOString() ?? null };
}
