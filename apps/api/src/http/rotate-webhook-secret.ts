import { audit, rotateWebhookSecret } from "@scribe/database";
import { defineRoute } from "../openapi/route.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { sendJson } from "./send-json.ts";
import { secretSchema } from "./webhooks.ts";

export const postWebhookSecretRotation = defineRoute({
  method: "post",
  path: "/api/v1/webhooks/secret/rotate",
  operationId: "rotateWebhookSecret",
  summary: "Sign with a new secret",
  description: "The one before signs beside it for 24 hours; rotating again within that time ends it.",
  tag: "Webhooks",
  scope: "manage",
  answers: { 200: { description: "Both secrets", schema: secretSchema } },
  handle:
    ({ db }) =>
    async ({ request, response, caller }) => {
      // Its record would have to hold the secret.
      refuseIdempotencyKey(request);
      const [secret, previous] = await rotateWebhookSecret(db, caller.tenantId);
      await audit(db, {
        tenantId: caller.tenantId,
        actor: caller.publicId,
        action: "webhook_secret.rotated",
        address: request.ip,
      });
      sendJson(response, 200, { secret, previous_secret: previous });
    },
});
