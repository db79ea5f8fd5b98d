import type { RequestHandler } from "express";
import type { Lifecycle } from "../../lifecycle.ts";

/** A client that keeps its connection would come back on it to a server that is about to go. */
export function closeWhileDraining(lifecycle: Lifecycle): RequestHandler {
  return (_request, response, next) => {
    if (lifecycle.draining) response.setHeader("Connection", "close");
    next();
  };
}
