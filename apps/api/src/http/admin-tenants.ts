import { audit, createTenant, type InstanceTenant, listTenants, updateTenant } from "@scribe/database";
import { RequestError, safeText, tenantLimits } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { pageQuery, readPage, toPage } from "./page-after.ts";
import { sendJson } from "./send-json.ts";

const tenantSchema = answerSchema(
  "Tenant",
  z.object({
    id: z.uuid(),
    name: z.string(),
    limits: tenantLimits,
    created_at: z.iso.datetime(),
    disabled_at: z.iso.datetime().nullable(),
  }),
);

const tenantList = answerSchema(
  "TenantList",
  z.object({ data: z.array(tenantSchema), next_cursor: z.string().nullable() }),
);

export const postTenant = defineRoute({
  method: "post",
  path: "/api/v1/admin/tenants",
  operationId: "createTenant",
  summary: "Make a tenant",
  tag: "Administration",
  scope: "admin",
  body: {
    kind: "json",
    schema: requestSchema(
      "CreateTenant",
      z.strictObject({ name: safeText(128).min(1), limits: tenantLimits.optional() }),
    ),
  },
  answers: { 201: { description: "The tenant", schema: tenantSchema } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, body }) => {
      refuseIdempotencyKey(request);
      const made = await createTenant(db, body);
      if (made === null) throw new RequestError("conflict", "There is a tenant of this name.");
      await audit(db, {
        tenantId: made.id,
        actor: caller.publicId,
        action: "tenant.created",
        target: made.id,
        address: request.ip,
        detail: { ...body },
      });
      sendJson(response, 201, toView(made));
    },
});

export const getTenants = defineRoute({
  method: "get",
  path: "/api/v1/admin/tenants",
  operationId: "listTenants",
  summary: "All tenants, oldest first",
  tag: "Administration",
  scope: "admin",
  query: z.strictObject(pageQuery),
  answers: { 200: { description: "A page of tenants", schema: tenantList } },
  handle:
    ({ db }) =>
    async ({ response, query }) => {
      const { limit, cursor } = readPage(query);
      sendJson(response, 200, toPage(await listTenants(db, { limit: limit + 1, after: cursor }), limit, toView));
    },
});

export const patchTenant = defineRoute({
  method: "patch",
  path: "/api/v1/admin/tenants/{id}",
  operationId: "updateTenant",
  summary: "Set a tenant's limits, disable it or enable it again",
  description: "Limits are replaced as a whole. The keys of a disabled tenant open nothing, from the next request on.",
  tag: "Administration",
  scope: "admin",
  body: {
    kind: "json",
    schema: requestSchema(
      "UpdateTenant",
      z.strictObject({ limits: tenantLimits.optional(), disabled: z.boolean().optional() }),
    ),
  },
  answers: { 200: { description: "The tenant as it is now", schema: tenantSchema } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params, body }) => {
      const id = idFrom(params, "tenant");
      if (body.disabled === true && id === caller.tenantId) {
        throw new RequestError("conflict", "A key cannot disable its own tenant.");
      }
      const changed = await updateTenant(db, id, body);
      if (changed === null) throw notFound("tenant");
      await audit(db, {
        tenantId: id,
        actor: caller.publicId,
        action: "tenant.updated",
        target: id,
        address: request.ip,
        detail: { ...body },
      });
      sendJson(response, 200, toView(changed));
    },
});

function toView(tenant: InstanceTenant): z.output<typeof tenantSchema> {
  return {
    id: tenant.id,
    name: tenant.name,
    limits: tenant.limits,
    created_at: tenant.createdAt.toISOString(),
    disabled_at: tenant.disabledAt?.toISOString() ?? null,
  };
}
