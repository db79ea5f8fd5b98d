import { tenantDeliveries, webhookSecrets } from "@scribe/database";
import { httpUrl, RequestError } from "@scribe/domain";
import { type DeliveryResult, deliverOnce, isSuccess } from "@scribe/webhooks";
import type { Response } from "express";
import { z } from "zod";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { goneSignal } from "../when-closed.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { checkUrl } from "./prepare-job.ts";
import { sendJson } from "./send-json.ts";

const PINGS_A_MINUTE = 10;

const resultSchema = answerSchema(
  "WebhookTestResult",
  z.object({
    delivered: z.boolean(),
    status: z.int().nullable().meta({ description: "Of the answer; null where there was none" }),
    duration_ms: z.int(),
    error: z.string().optional(),
  }),
);

export const testWebhook = defineRoute({
  method: "post",
  path: "/api/v1/webhooks/test",
  operationId: "testWebhook",
  summary: "Send a `ping` and say how it went",
  description: `Signed and guarded like every delivery, tried once. At most ${PINGS_A_MINUTE} a minute.`,
  tag: "Webhooks",
  scope: "manage",
  body: { kind: "json", schema: requestSchema("WebhookTest", z.strictObject({ url: httpUrl })) },
  answers: { 200: { description: "How it went", schema: resultSchema } },
  handle:
    (api) =>
    async ({ response, caller, body }) => {
      const ping = await pingReceiver(api, caller, response, { url: body.url, field: "url" });
      const { delivered, status, durationMs, error } = ping;
      sendJson(response, 200, {
        delivered,
        status,
        duration_ms: durationMs,
        ...(error === undefined ? {} : { error }),
      });
    },
});

/**
 * Sends a ping, signed and guarded like every delivery, and notes it in the log.
 *
 * @throws RequestError `url_not_allowed`, `rate_limited`
 */
export async function pingReceiver(
  api: Api,
  caller: Caller,
  response: Response,
  { url, field }: { url: string; field: string },
): Promise<DeliveryResult & { delivered: boolean }> {
  checkUrl(api, field, url);
  const deliveries = tenantDeliveries(api.db, caller.tenantId);
  const ping = await deliveries.beginPing(url, PINGS_A_MINUTE);
  if (ping === null) {
    throw new RequestError("rate_limited", `At most ${PINGS_A_MINUTE} tests a minute.`, { retryAfterSeconds: 60 });
  }
  const secrets = await webhookSecrets(api.db, caller.tenantId);
  const { client, headersFor } = api.deliver;
  const sent = await deliverOnce({ ...ping, url, secrets }, { client, headersFor, signal: goneSignal(response) });
  const delivered = isSuccess(sent.status);
  await deliveries.endPing(ping.id, { ...sent, delivered });
  return { ...sent, delivered };
}
