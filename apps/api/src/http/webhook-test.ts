import { tenantDeliveries, webhookSecrets } from "@scribe/database";
import { httpUrl, RequestError } from "@scribe/domain";
import { deliverOnce, isSuccess } from "@scribe/webhooks";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
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
    async ({ request, response, caller, body }) => {
      const { url } = body;
      checkUrl(api, "url", url);
      const deliveries = tenantDeliveries(api.db, caller.tenantId);
      const ping = await deliveries.beginPing(url, PINGS_A_MINUTE);
      if (ping === null) {
        throw new RequestError("rate_limited", `At most ${PINGS_A_MINUTE} tests a minute.`, { retryAfterSeconds: 60 });
      }
      const secrets = await webhookSecrets(api.db, caller.tenantId);
      const gone = new AbortController();
      request.once("close", () => {
        if (!response.writableEnded) gone.abort();
      });
      const { client, headersFor } = api.deliver;
      const sent = await deliverOnce({ ...ping, url, secrets }, { client, headersFor, signal: gone.signal });
      const delivered = isSuccess(sent.status);
      await deliveries.endPing(ping.id, { ...sent, delivered });
      const { status, durationMs, error } = sent;
      sendJson(response, 200, {
        delivered,
        status,
        duration_ms: durationMs,
        ...(error === undefined ? {} : { error }),
      });
    },
});
