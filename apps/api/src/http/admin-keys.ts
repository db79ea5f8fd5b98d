import { audit, createKey, getTenant, type KeyRow, listInstanceKeys, revokeInstanceKey } from "@scribe/database";
import { isUuid } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { keySchema, newKeyFields, newKeySchema, refuseEscalation, toKeyView } from "./key-view.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { pageQuery, readPage, toPage } from "./page-after.ts";
import { sendJson } from "./send-json.ts";

const ofTenant = { tenant_id: z.uuid() } as const;
const tenantKey = answerSchema("TenantKey", keySchema.extend(ofTenant));
const newTenantKey = answerSchema("NewTenantKey", newKeySchema.extend(ofTenant));
const tenantKeyList = answerSchema(
  "TenantKeyList",
  z.object({ data: z.array(tenantKey), next_cursor: z.string().nullable() }),
);

export const postAdminKey = defineRoute({
  method: "post",
  path: "/api/v1/admin/api-keys",
  operationId: "createTenantKey",
  summary: "Make a key for any tenant",
  description: "A key never grants a scope that it lacks.",
  tag: "Administration",
  scope: "admin",
  body: {
    kind: "json",
    schema: requestSchema("CreateTenantKey", z.strictObject({ tenant_id: z.string().max(64), ...newKeyFields })),
  },
  answers: { 201: { description: "The key", schema: newTenantKey } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, body }) => {
      refuseIdempotencyKey(request);
      refuseEscalation(caller, body.scopes);
      const tenant = isUuid(body.tenant_id) ? await getTenant(db, body.tenant_id) : null;
      if (tenant === null) throw notFound("tenant");
      const scopes = [...new Set(body.scopes)];
      const made = await createKey(db, {
        tenantId: tenant.id,
        name: body.name,
        scopes,
        expiresAt: body.expires_at,
        limits: body.limits,
      });
      await audit(db, {
        tenantId: tenant.id,
        actor: caller.publicId,
        action: "key.created",
        target: made.id,
        address: request.ip,
        detail: { scopes },
      });
      sendJson(response, 201, { ...toView(made), key: made.key });
    },
});

export const getAdminKeys = defineRoute({
  method: "get",
  path: "/api/v1/admin/api-keys",
  operationId: "listTenantKeys",
  summary: "Keys of all tenants, or of one, without their secrets",
  tag: "Administration",
  scope: "admin",
  query: z.strictObject({ ...pageQuery, tenant_id: z.uuid().optional() }),
  answers: { 200: { description: "A page of keys, oldest first", schema: tenantKeyList } },
  handle:
    ({ db }) =>
    async ({ response, query }) => {
      const { limit, cursor } = readPage(query);
      const rows = await listInstanceKeys(db, { limit: limit + 1, after: cursor, tenantId: query.tenant_id });
      sendJson(response, 200, toPage(rows, limit, toView));
    },
});

export const deleteAdminKey = defineRoute({
  method: "delete",
  path: "/api/v1/admin/api-keys/{id}",
  operationId: "revokeTenantKey",
  summary: "Revoke a key of any tenant, at once",
  tag: "Administration",
  scope: "admin",
  answers: { 204: { description: "The key is revoked" } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params }) => {
      const id = idFrom(params, "key");
      const tenantId = await revokeInstanceKey(db, id);
      if (tenantId === null) throw notFound("key");
      await audit(db, { tenantId, actor: caller.publicId, action: "key.revoked", target: id, address: request.ip });
      response.status(204).end();
    },
});

function toView(key: KeyRow): z.output<typeof tenantKey> {
  return { ...toKeyView(key), tenant_id: key.tenantId };
}
