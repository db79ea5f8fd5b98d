import { audit, createKey, type KeyRow, listKeys, revokeKey } from "@scribe/database";
import { hasScope, RequestError, SCOPES, safeText } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";

const time = z.iso.datetime();

const keyShape = {
  id: z.uuid(),
  prefix: z.string().meta({ description: "How the key begins: `sr_` and its public part" }),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  created_at: time,
  expires_at: time.nullable(),
  revoked_at: time.nullable(),
  last_used_at: time.nullable(),
} as const;

const keySchema = answerSchema("Key", z.object(keyShape));
const newKeySchema = answerSchema(
  "NewKey",
  z.object({ ...keyShape, key: z.string().meta({ description: "Shown here, and never again" }) }),
);
const keyList = answerSchema("KeyList", z.object({ data: z.array(keySchema) }));

const createBody = requestSchema(
  "CreateKey",
  z.strictObject({
    name: safeText(128).min(1),
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
    expires_at: z.iso
      .datetime({ offset: true })
      .transform((text) => new Date(text))
      .refine((at) => at.getTime() > Date.now(), "must be in the future")
      .optional(),
  }),
);

export const postKey = defineRoute({
  method: "post",
  path: "/api/v1/keys",
  operationId: "createKey",
  summary: "Make a key for the own tenant",
  description: "A key never grants a scope that it lacks.",
  tag: "Keys",
  scope: "manage",
  body: { kind: "json", schema: createBody },
  answers: { 201: { description: "The key", schema: newKeySchema } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, body }) => {
      // Its record would have to hold the key's text, and nothing ever does.
      refuseIdempotencyKey(request);
      const beyond = body.scopes.filter((scope) => !hasScope(caller.scopes, scope));
      if (beyond.length > 0) {
        throw new RequestError("forbidden", `A key cannot grant what it lacks: ${beyond.join(", ")}.`);
      }
      const scopes = [...new Set(body.scopes)];
      const made = await createKey(db, {
        tenantId: caller.tenantId,
        name: body.name,
        scopes,
        expiresAt: body.expires_at,
      });
      await audit(db, {
        tenantId: caller.tenantId,
        actor: caller.publicId,
        action: "key.created",
        target: made.id,
        address: request.ip,
        detail: { scopes },
      });
      sendJson(response, 201, { ...toKeyView(made), key: made.key });
    },
});

export const getKeys = defineRoute({
  method: "get",
  path: "/api/v1/keys",
  operationId: "listKeys",
  summary: "The own tenant's keys, without their secrets",
  tag: "Keys",
  scope: "manage",
  answers: { 200: { description: "The keys, oldest first", schema: keyList } },
  handle:
    ({ db }) =>
    async ({ response, caller }) => {
      sendJson(response, 200, { data: (await listKeys(db, caller.tenantId)).map(toKeyView) });
    },
});

export const deleteKey = defineRoute({
  method: "delete",
  path: "/api/v1/keys/{id}",
  operationId: "revokeKey",
  summary: "Revoke a key, at once",
  tag: "Keys",
  scope: "manage",
  answers: { 204: { description: "The key is revoked" } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params }) => {
      const id = idFrom(params, "key");
      if (!(await revokeKey(db, caller.tenantId, id))) throw notFound("key");
      await audit(db, {
        tenantId: caller.tenantId,
        actor: caller.publicId,
        action: "key.revoked",
        target: id,
        address: request.ip,
      });
      response.status(204).end();
    },
});

function toKeyView(key: KeyRow): z.output<typeof keySchema> {
  return {
    id: key.id,
    prefix: `sr_${key.publicId}`,
    name: key.name,
    scopes: key.scopes,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  };
}
