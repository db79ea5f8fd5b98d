import { tenantDeliveries } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import { defineRoute } from "../openapi/route.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";
import { deliverySchema, toDeliveryView } from "./webhooks.ts";

export const redeliver = defineRoute({
  method: "post",
  path: "/api/v1/webhooks/deliveries/{id}/redeliver",
  operationId: "redeliver",
  summary: "Send a delivery once more",
  description: "With the same `webhook-id` and body, now, and by the whole schedule where that fails.",
  tag: "Webhooks",
  scope: "manage",
  answers: { 202: { description: "The delivery is due", schema: deliverySchema } },
  handle:
    ({ db, dispatcher }) =>
    async ({ response, caller, params }) => {
      const delivery = await tenantDeliveries(db, caller.tenantId).redeliver(idFrom(params, "delivery"));
      if (delivery === null) throw notFound("delivery");
      if (delivery === "disabled") {
        throw new RequestError("conflict", "The delivery's endpoint is disabled; enable it first.");
      }
      dispatcher.poke("webhooks");
      sendJson(response, 202, toDeliveryView(delivery));
    },
});
