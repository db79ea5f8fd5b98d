import type { Request } from "express";
import type { Api } from "../api.ts";
import type { Caller } from "../http/middleware/authenticate.ts";

/**
 * A place for a body that is in memory as a whole, until the returned function is called. One that says to be no larger than
 * other bodies needs none; one that does not say may be large.
 *
 * @throws RequestError 429, 503
 */
export function takeLargeBodyPlace({ config, largeBodies }: Api, { keyId }: Caller, request: Request): () => void {
  const bytes = Number(request.get("content-length") ?? Number.POSITIVE_INFINITY);
  return bytes <= config.limits.MAX_BODY_BYTES ? () => undefined : largeBodies.take(keyId);
}
