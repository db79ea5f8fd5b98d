import { RequestError } from "@scribe/domain";
import type { Request, Response } from "express";
import type { Api } from "../api.ts";

/**
 * Whether events are to follow: a HEAD is answered here, and opens nothing.
 *
 * @throws RequestError `service_unavailable` while this server ends
 */
export function mayStream({ lifecycle }: Pick<Api, "lifecycle">, request: Request, response: Response): boolean {
  if (request.method === "HEAD") {
    response.setHeader("Content-Type", "text/event-stream; charset=utf-8");
    response.end();
    return false;
  }
  if (lifecycle.draining) {
    throw new RequestError("service_unavailable", "This server is going away.", { retryAfterSeconds: 1 });
  }
  return true;
}
