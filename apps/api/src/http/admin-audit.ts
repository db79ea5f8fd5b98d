import { readAudit } from "@scribe/database";
import { safeText } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { pageQuery, readPage, toPage } from "./page-after.ts";
import { sendJson } from "./send-json.ts";

const entrySchema = answerSchema(
  "AuditEntry",
  z.object({
    id: z.uuid(),
    time: z.iso.datetime(),
    tenant_id: z.uuid().nullable().meta({ description: "Whose data it touched" }),
    actor: z.string().meta({ description: "The acting key's public part, `cli`, `configuration`, or `retention`" }),
    action: z.string(),
    target: z.string().nullable(),
    address: z.string().nullable().meta({ description: "Where the request came from" }),
    detail: z.record(z.string(), z.unknown()),
  }),
);

export const getAudit = defineRoute({
  method: "get",
  path: "/api/v1/admin/audit",
  operationId: "readAudit",
  summary: "Administrative acts and erasures, newest first: who, what, when, from where",
  tag: "Administration",
  scope: "admin",
  query: z.strictObject({
    ...pageQuery,
    tenant_id: z.uuid().optional(),
    actor: safeText(64).optional(),
    action: safeText(64).optional(),
  }),
  answers: {
    200: {
      description: "A page of entries",
      schema: answerSchema("AuditLog", z.object({ data: z.array(entrySchema), next_cursor: z.string().nullable() })),
    },
  },
  handle:
    ({ db }) =>
    async ({ response, query }) => {
      const { limit, cursor } = readPage(query);
      const rows = await readAudit(db, {
        limit: limit + 1,
        before: cursor,
        tenantId: query.tenant_id,
        actor: query.actor,
        action: query.action,
      });
      const page = toPage(rows, limit, ({ at, tenantId, ...row }) => ({
        ...{ id: row.id, time: at.toISOString(), tenant_id: tenantId, actor: row.actor, action: row.action },
        ...{ target: row.target, address: row.address, detail: row.detail },
      }));
      sendJson(response, 200, page);
    },
});
