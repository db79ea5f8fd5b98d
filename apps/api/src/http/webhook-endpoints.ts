import { audit, type EndpointRow, tenantEndpoints } from "@scribe/database";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { queryInt } from "./query-types.ts";
import { sendJson } from "./send-json.ts";

const time = z.iso.datetime();

const endpointSchema = answerSchema(
  "WebhookEndpoint",
  z.object({
    id: z.uuid(),
    origin: z.string(),
    path: z.string(),
    status: z.enum(["enabled", "disabled"]),
    reason: z.string().nullable().meta({ description: "Why it is disabled" }),
    created_at: time,
    disabled_at: time.nullable(),
    pending: z.int().meta({ description: "Deliveries that wait for a try" }),
  }),
);

const endpointList = answerSchema("WebhookEndpointList", z.object({ data: z.array(endpointSchema) }));

export const listWebhookEndpoints = defineRoute({
  method: "get",
  path: "/api/v1/webhooks/endpoints",
  operationId: "listWebhookEndpoints",
  summary: "Where deliveries go",
  description: "An endpoint is the origin and path of an address. Disabled ones come first, then the newest.",
  tag: "Webhooks",
  scope: "manage",
  query: z.strictObject({
    limit: queryInt(1, 1000).optional().meta({ description: "1 to 1000; 100 where absent" }),
  }),
  answers: { 200: { description: "The endpoints", schema: endpointList } },
  handle:
    ({ db }) =>
    async ({ response, caller, query }) => {
      const rows = await tenantEndpoints(db, caller.tenantId).list(query.limit ?? 100);
      sendJson(response, 200, { data: rows.map(toView) });
    },
});

export const enableWebhookEndpoint = defineRoute({
  method: "post",
  path: "/api/v1/webhooks/endpoints/{id}/enable",
  operationId: "enableWebhookEndpoint",
  summary: "Send to an endpoint again that answered 410",
  description: "What was skipped meanwhile stays so; each may be redelivered.",
  tag: "Webhooks",
  scope: "manage",
  answers: { 200: { description: "The endpoint", schema: endpointSchema } },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params }) => {
      const endpoint = await tenantEndpoints(db, caller.tenantId).enable(idFrom(params, "endpoint"));
      if (!endpoint) throw notFound("endpoint");
      await audit(db, {
        tenantId: caller.tenantId,
        actor: caller.publicId,
        action: "webhook_endpoint.enabled",
        target: endpoint.id,
        address: request.ip,
      });
      sendJson(response, 200, toView(endpoint));
    },
});

function toView(row: EndpointRow): z.output<typeof endpointSchema> {
  return {
    id: row.id,
    origin: row.origin,
    path: row.path,
    status: row.disabledAt === null ? "enabled" : "disabled",
    reason: row.reason,
    created_at: row.createdAt.toISOString(),
    disabled_at: row.disabledAt?.toISOString() ?? null,
    pending: row.pending,
  };
}
