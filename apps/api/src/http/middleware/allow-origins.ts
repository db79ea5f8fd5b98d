import type { RequestHandler } from "express";

const METHODS = "GET, HEAD, POST, PATCH, PUT, DELETE";
const TUS_HEADERS = "Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Upload-Expires";
const REQUEST_HEADERS =
  "Authorization, X-API-Key, Content-Type, Idempotency-Key, Last-Event-ID, X-Provider-Key, X-Request-Id, X-Tenant-Id";
const ANSWER_HEADERS =
  "X-Request-Id, Location, Retry-After, Idempotency-Replayed, Content-Disposition, RateLimit, RateLimit-Policy";

/** CORS for the origins that the operator listed, and no other; keys come in headers, so never credentials. */
export function allowOrigins(origins: readonly string[]): RequestHandler {
  const allowed = new Set(origins.map((origin) => origin.replace(/\/$/, "")));
  return (request, response, next) => {
    if (allowed.size > 0) response.vary("Origin");
    const origin = request.get("origin");
    if (origin === undefined || !allowed.has(origin)) return next();
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Access-Control-Expose-Headers", `${ANSWER_HEADERS}, ${TUS_HEADERS}`);
    if (request.method !== "OPTIONS" || request.get("access-control-request-method") === undefined) return next();
    response.setHeader("Access-Control-Allow-Methods", METHODS);
    response.setHeader("Access-Control-Allow-Headers", `${REQUEST_HEADERS}, ${TUS_HEADERS}`);
    response.setHeader("Access-Control-Max-Age", "600");
    response.status(204).end();
  };
}
