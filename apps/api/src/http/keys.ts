import { audit, createKey, getKey, listKeys, revokeKey, rotateKey } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { keySchema, newKeyFields, newKeySchema, refuseEscalation, refuseHigherLimits, toKeyView } from "./key-view.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";

const keyList = answerSchema("KeyList", z.object({ data: z.array(keySchema) }));
const createBody = requestSchema("CreateKey", z.strictObject(newKeyFields));

export const postKey = defineRoute({
  method: "post",
  path: "/api/v1/keys",
  operationId: "createKey",
  summary: "Make a key for the own tenant",
  description: "A key never grants a scope that it lacks, nor, without `admin`, limits above its own.",
  tag: "Keys",
  scope: "manage",
  body: { kind: "json", schema: createBody },
  answers: { 201: { description: "The key", schema: newKeySchema } },
  handle:
    (api) =>
    async ({ request, response, caller, body }) => {
      // Its record would have to hold the key's text, and nothing ever does.
      refuseIdempotencyKey(request);
      const { db } = api;
      refuseEscalation(caller, body.scopes);
      refuseHigherLimits(api, caller, body.limits ?? {});
      const scopes = [...new Set(body.scopes)];
      const made = await createKey(db, {
        tenantId: caller.tenantId,
        name: body.name,
        scopes,
        expiresAt: body.expires_at,
        limits: body.limits,
        createdBy: caller.madeBy,
        profile: body.profile,
        webhookFormat: body.webhook_format,
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

const DEFAULT_OVERLAP_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 30 * 86_400;

const rotateBody = requestSchema(
  "RotateKey",
  z.strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(MAX_OVERLAP_SECONDS)
      .optional()
      .meta({ description: "How long the old key works on; a day where absent, 0: not at all" }),
  }),
);

const rotatedSchema = answerSchema(
  "RotatedKey",
  newKeySchema.extend({ replaces: z.object({ id: z.uuid(), expires_at: z.iso.datetime() }) }),
);

export const postKeyRotation = defineRoute({
  method: "post",
  path: "/api/v1/keys/{id}/rotate",
  operationId: "rotateKey",
  summary: "Make a key that takes another's place; the old one works on for a while",
  description:
    "The new one has the same name, scopes, limits and expiry. A key never rotates one with a scope it lacks.",
  tag: "Keys",
  scope: "manage",
  body: { kind: "json", schema: rotateBody },
  answers: { 201: { description: "The new key", schema: rotatedSchema } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params, body }) => {
      refuseIdempotencyKey(request);
      const id = idFrom(params, "key");
      const old = await getKey(db, caller.tenantId, id);
      if (old === null) throw notFound("key");
      refuseEscalation(caller, old.scopes);
      const rotated = await rotateKey(db, caller.tenantId, id, body.overlap_seconds ?? DEFAULT_OVERLAP_SECONDS);
      if (rotated === null) throw new RequestError("conflict", "The key is revoked or has expired; make a new one.");
      const { made, oldExpiresAt } = rotated;
      await audit(db, {
        tenantId: caller.tenantId,
        actor: caller.publicId,
        action: "key.rotated",
        target: id,
        address: request.ip,
        detail: { new_key: made.id, old_expires_at: oldExpiresAt.toISOString() },
      });
      sendJson(response, 201, {
        ...toKeyView(made),
        key: made.key,
        replaces: { id, expires_at: oldExpiresAt.toISOString() },
      });
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
