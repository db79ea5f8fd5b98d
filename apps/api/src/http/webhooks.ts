import {
  type Database,
  type DeliveryRow,
  tenantDeliveries,
  tenantEnhancements,
  tenantJobs,
  webhookSecrets,
} from "@scribe/database";
import { BATCH_EVENTS, ENHANCEMENT_EVENTS, WEBHOOK_EVENTS } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { queryInt } from "./query-types.ts";
import { sendJson } from "./send-json.ts";

const time = z.iso.datetime();

export const secretSchema = answerSchema(
  "WebhookSecret",
  z.object({
    secret: z.string().meta({ description: "`whsec_` and base64; what signs deliveries now" }),
    previous_secret: z.string().optional().meta({ description: "Signs too, for 24 hours after a rotation" }),
  }),
);

const DELIVERY_STATUSES = ["pending", "delivered", "failed", "skipped"] as const;

export const deliverySchema = answerSchema(
  "Delivery",
  z.object({
    id: z.uuid().meta({ description: "The `webhook-id` of all its tries" }),
    job_id: z.uuid().nullable(),
    enhancement_id: z.uuid().optional(),
    type: z.enum([...WEBHOOK_EVENTS, ...BATCH_EVENTS, ...ENHANCEMENT_EVENTS, "ping"]),
    url: z.string(),
    status: z.enum(DELIVERY_STATUSES),
    created_at: time,
    finished_at: time.nullable(),
    next_attempt_at: time.nullable(),
    attempts: z.array(
      z.object({
        time,
        status: z.int().nullable().meta({ description: "Of the answer; null where there was none" }),
        duration_ms: z.int(),
        error: z.string().nullable(),
        response: z.string().nullable().meta({ description: "Its first KiB" }),
      }),
    ),
  }),
);

const deliveryList = answerSchema("DeliveryList", z.object({ data: z.array(deliverySchema) }));

export const getWebhookSecret = defineRoute({
  method: "get",
  path: "/api/v1/webhooks/secret",
  operationId: "getWebhookSecret",
  summary: "What the own tenant's deliveries are signed with",
  tag: "Webhooks",
  scope: "manage",
  answers: { 200: { description: "The secret", schema: secretSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller }) => {
      const [secret, previous] = await webhookSecrets(db, caller.tenantId);
      if (secret === undefined) throw notFound("secret");
      sendJson(response, 200, { secret, ...(previous === undefined ? {} : { previous_secret: previous }) });
    },
});

export const listDeliveries = defineRoute({
  method: "get",
  path: "/api/v1/webhooks/deliveries",
  operationId: "listDeliveries",
  summary: "Deliveries with their tries, newest first",
  tag: "Webhooks",
  scope: "read",
  query: z.strictObject({
    job_id: z.string().max(64).optional(),
    status: z.enum(DELIVERY_STATUSES).optional(),
    limit: queryInt(1, 100).optional().meta({ description: "1 to 100; 20 where absent" }),
  }),
  answers: { 200: { description: "The deliveries", schema: deliveryList } },
  handle:
    ({ db }) =>
    async ({ response, caller, query }) => {
      const jobId = query.job_id === undefined ? undefined : idFrom({ id: query.job_id }, "job");
      if (jobId !== undefined && !(await isMine(db, caller.tenantId, jobId))) throw notFound("job");
      const rows = await tenantDeliveries(db, caller.tenantId).list({
        jobId,
        status: query.status,
        limit: query.limit ?? 20,
      });
      sendJson(response, 200, { data: rows.map(toDeliveryView) });
    },
});

/** Jobs and enhancements alike are asked for by `job_id`. */
async function isMine(db: Database, tenantId: string, id: string): Promise<boolean> {
  return (await tenantJobs(db, tenantId).get(id)) !== null || (await tenantEnhancements(db, tenantId).get(id)) !== null;
}

export function toDeliveryView(row: DeliveryRow): z.output<typeof deliverySchema> {
  return {
    id: row.id,
    job_id: row.jobId,
    ...(row.enhancementId === null ? {} : { enhancement_id: row.enhancementId }),
    type: row.type as z.output<typeof deliverySchema>["type"],
    url: row.url,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
    next_attempt_at: row.status === "pending" ? row.nextRunAt.toISOString() : null,
    attempts: row.tries.map((attempt) => ({
      time: attempt.at.toISOString(),
      status: attempt.status,
      duration_ms: attempt.durationMs,
      error: attempt.error,
      response: attempt.responseExcerpt,
    })),
  };
}
