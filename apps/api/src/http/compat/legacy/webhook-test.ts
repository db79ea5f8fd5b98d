import { httpUrl } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../../../openapi/route.ts";
import { sendJson } from "../../send-json.ts";
import { pingReceiver } from "../../webhook-test.ts";

export const legacyTestWebhook = defineRoute({
  method: "post",
  path: "/api/v1/webhook/test",
  operationId: "legacyTestWebhook",
  summary: "Send a test webhook, where the older service had it",
  tag: "Legacy",
  scope: "transcribe",
  query: z.strictObject({ webhook_url: httpUrl }),
  answers: {
    200: {
      description: "How it went",
      schema: z.object({ success: z.boolean(), message: z.string(), status_code: z.int().nullable() }),
    },
  },
  handle:
    (api) =>
    async ({ response, caller, query }) => {
      const { delivered, status, error } = await pingReceiver(api, caller, response, {
        url: query.webhook_url,
        field: "webhook_url",
      });
      const message = delivered ? "Webhook delivered" : (error ?? "The webhook was not delivered.");
      sendJson(response, 200, { success: delivered, message, status_code: status });
    },
});
