import { timingSafeEqual } from "node:crypto";
import { standardSignature } from "./sign-delivery.ts";

/** How old or how far ahead a delivery may be, as the specification recommends. */
const TOLERANCE_SECONDS = 300;

export interface VerifyOptions {
  /** Unix seconds. */
  readonly now?: number;
  readonly toleranceSeconds?: number;
}

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/**
 * What a receiver does: whether one of the `v1` signatures in the headers was made with one of the secrets over these
 * very bytes, lately. Header names are lower case, as Node gives them.
 */
export function verifySignature(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  secrets: readonly string[],
  options: VerifyOptions = {},
): Verdict {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  const signatures = headers["webhook-signature"];
  if (typeof id !== "string" || typeof timestamp !== "string" || typeof signatures !== "string") {
    return { ok: false, reason: "a webhook header is missing" };
  }
  if (!/^\d{1,15}$/.test(timestamp)) return { ok: false, reason: "the timestamp is no number" };
  const seconds = Number(timestamp);
  const now = options.now ?? Math.floor(Date.now() / 1000);
  if (Math.abs(now - seconds) > (options.toleranceSeconds ?? TOLERANCE_SECONDS)) {
    return { ok: false, reason: "the timestamp is too old or too new" };
  }
  const expected = secrets.map((secret) => standardSignature(id, timestamp, body, secret));
  for (const entry of signatures.split(" ")) {
    const [version, encoded] = entry.split(",", 2);
    if (version !== "v1" || encoded === undefined) continue;
    const given = Buffer.from(encoded, "base64");
    for (const signature of expected) {
      if (given.length === signature.length && timingSafeEqual(given, signature)) return { ok: true };
    }
  }
  return { ok: false, reason: "no signature matches" };
}
