export {
  DELIVERY_TIMEOUT_MS,
  type DeliveryDependencies,
  type DeliveryResult,
  deliverOnce,
  isSuccess,
  type OutgoingDelivery,
} from "./deliver-once.ts";
export { type DeliveryOutcome, decideOutcome } from "./deliver-outcome.ts";
export { isHeaderValue, mayBeForeignHeader } from "./foreign-headers.ts";
export { generateWebhookSecret, isWebhookSecret, parseWebhookSecret } from "./secrets.ts";
export { type Delivery, signDelivery } from "./sign-delivery.ts";
export { vercelBypass } from "./vercel-bypass.ts";
export { type Verdict, type VerifyOptions, verifySignature } from "./verify-signature.ts";
