export { generateWebhookSecret, isWebhookSecret, parseWebhookSecret } from "./secrets.ts";
export { type Delivery, signDelivery } from "./sign-delivery.ts";
export { type Verdict, type VerifyOptions, verifySignature } from "./verify-signature.ts";
