import type { Tracer } from "@scribe/telemetry";
import type { RequestHandler } from "express";
import { withoutKey } from "../compat/door.ts";
import { doorOf } from "../compat/doors.ts";
import type { RequestLocals } from "./log-requests.ts";

/** Asked all the time, and never part of anything. */
const UNTRACED = new Set(["/health", "/ready", "/metrics"]);

/**
 * A span a request, which goes on where the caller's `traceparent` stands and takes its place: whoever reads that header
 * after this, as a job does, continues from here.
 */
export function traceRequests(tracer: Tracer): RequestHandler {
  if (!tracer.enabled) return (_request, _response, next) => next();
  return (request, response, next) => {
    if (UNTRACED.has(request.path)) return next();
    const span = tracer.start(`${request.method}`, {
      kind: "server",
      parent: request.get("traceparent"),
      attributes: { "http.request.method": request.method, "url.path": withoutKey(doorOf(request.path), request.path) },
    });
    request.headers.traceparent = span.traceparent;
    response.once("close", () => {
      const { route, caller, failure, requestId } = response.locals as RequestLocals;
      const status = response.statusCode;
      span.set({
        "http.response.status_code": status,
        ...(route && { "http.route": route }),
        ...(requestId && { "scribe.request_id": requestId }),
        ...(caller && { "scribe.tenant": caller.tenantId }),
      });
      span.end(status >= 500 ? (failure ?? `status ${status}`) : undefined);
    });
    next();
  };
}
