import { createHmac } from "node:crypto";
import { parseWebhookSecret, SECRET_PREFIX } from "./secrets.ts";

export interface Delivery {
  /** The same over all tries of one event. Must not contain a full stop. */
  readonly id: string;
  /** Unix seconds of this try. */
  readonly timestamp: number;
  /** The bytes as they are sent. */
  readonly body: string | Uint8Array;
}

/**
 * The headers that prove a delivery: Standard Webhooks' three (https://www.standardwebhooks.com, "Signature scheme",
 * symmetric), one signature for each secret in the order given, and `x-webhook-signature` for older receivers, which is
 * keyed with the characters of the first secret as a whole. While a secret is being rotated, give the new one first.
 * Throws where a secret is malformed or there is none.
 */
export function signDelivery(delivery: Delivery, secrets: readonly string[]): Record<string, string> {
  const [first] = secrets;
  if (first === undefined) throw new TypeError("A delivery needs a secret to be signed with.");
  if (delivery.id === "" || delivery.id.includes("."))
    throw new TypeError("A webhook id is not empty, without a full stop.");
  if (!Number.isSafeInteger(delivery.timestamp)) throw new TypeError("A webhook timestamp is in whole seconds.");
  const { id, body } = delivery;
  const timestamp = String(delivery.timestamp);
  const older = { "x-webhook-signature": createHmac("sha256", first).update(body).digest("hex") };
  // What an older receiver was given as its secret is no Standard Webhooks' secret: only its own signature can be made.
  if (!first.startsWith(SECRET_PREFIX)) return { "webhook-id": id, "webhook-timestamp": timestamp, ...older };
  const sign = (secret: string) => `v1,${standardSignature(id, timestamp, body, secret).toString("base64")}`;
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": secrets.map(sign).join(" "),
    ...older,
  };
}

/** HMAC-SHA256 over `id.timestamp.body`; the timestamp as it stands in the header. */
export function standardSignature(id: string, timestamp: string, body: string | Uint8Array, secret: string): Buffer {
  const key = parseWebhookSecret(secret);
  if (key === null) throw new TypeError("A webhook secret reads whsec_ and the base64 of 24 to 64 bytes.");
  return createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
}
