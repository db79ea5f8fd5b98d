import type { Logger } from "@scribe/telemetry";
import type { RequestHandler } from "express";
import type { ApiMetrics } from "../../api-metrics.ts";
import { withoutKey } from "../compat/door.ts";
import { doorOf } from "../compat/doors.ts";
import type { Caller } from "./authenticate.ts";

/** Asked every few seconds by probes and scrapers; a line each would drown the rest. */
const QUIET = new Set(["/health", "/ready", "/metrics"]);

/**
 * One line and one observation a request. Of the address only the path is logged, without the query; headers never.
 */
export function logRequests(log: Logger, metrics: ApiMetrics): RequestHandler {
  return (request, response, next) => {
    const startedAt = process.hrtime.bigint();
    response.once("close", () => {
      const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
      const { route = "unmatched", caller, requestId, failure, streamed } = response.locals as RequestLocals;
      const status = response.statusCode;
      if (!streamed) metrics.requestSeconds.observe({ method: request.method, route, status: String(status) }, seconds);
      if (status === 429) metrics.limitedRequests.inc({ code: codeOf(failure) });
      const line = {
        request_id: requestId,
        ...(request.headers.traceparent ? { trace_id: String(request.headers.traceparent).split("-")[1] } : {}),
        method: request.method,
        path: withoutKey(doorOf(request.path), request.path),
        status,
        duration_ms: Math.round(seconds * 1000),
        ...(caller ? { tenant: caller.tenantId, key: caller.publicId } : {}),
        ...(response.writableFinished ? {} : { aborted: true }),
        ...(failure && status >= 500 ? { err: failure } : {}),
      };
      if (status >= 500 && status !== 503) log.error(line, "request failed");
      else if (status >= 500) log.warn(line, "request could not be served");
      else if (QUIET.has(request.path)) log.debug(line, "request");
      else log.info(line, "request");
    });
    next();
  };
}

function codeOf(failure: unknown): string {
  const code = typeof failure === "object" && failure !== null && "code" in failure ? failure.code : null;
  return typeof code === "string" ? code : "rate_limited";
}

/** What the middleware tell each other about a request. */
export interface RequestLocals {
  requestId: string;
  route?: string;
  caller?: Caller;
  failure?: unknown;
  /** The answer is a stream whose length says nothing about our speed. */
  streamed?: boolean;
}
