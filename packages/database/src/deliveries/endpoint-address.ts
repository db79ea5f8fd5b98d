import { createHash } from "node:crypto";

export interface EndpointAddress {
  origin: string;
  path: string;
  /** SHA-256 of both, hex: what tells endpoints apart, whatever an address' length. */
  digest: string;
}

/** What an address shares with others of the same receiver. The query is left out: it may be a secret, or new each time. */
export function endpointAddress(url: string): EndpointAddress {
  const { origin, pathname } = new URL(url);
  return { origin, path: pathname, digest: createHash("sha256").update(`${origin}${pathname}`).digest("hex") };
}
