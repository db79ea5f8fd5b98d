import { randomBytes } from "node:crypto";

export const SECRET_PREFIX = "whsec_";
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/** A new signing secret: `whsec_` and the base64 of 32 random bytes. */
export function generateWebhookSecret(): string {
  return SECRET_PREFIX + randomBytes(32).toString("base64");
}

/**
 * The key bytes of a secret as Standard Webhooks writes it: `whsec_` and the base64 of 24 to 64 bytes.
 * Null where it is malformed; only canonical base64 counts, so that two spellings are never one secret.
 */
export function parseWebhookSecret(secret: string): Buffer | null {
  if (!secret.startsWith(SECRET_PREFIX)) return null;
  const encoded = secret.slice(SECRET_PREFIX.length);
  const key = Buffer.from(encoded, "base64");
  if (key.toString("base64") !== encoded) return null;
  return key.length >= MIN_BYTES && key.length <= MAX_BYTES ? key : null;
}

export function isWebhookSecret(secret: string): boolean {
  return parseWebhookSecret(secret) !== null;
}
