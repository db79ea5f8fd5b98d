import type { RequestErrorCode } from "@scribe/domain";
import type { Door } from "../door.ts";

const CODES: Partial<Record<RequestErrorCode, string>> = {
  unauthorized: "INVALID_AUTH",
  forbidden: "INSUFFICIENT_PERMISSIONS",
  not_found: "NOT_FOUND",
  payload_too_large: "PAYLOAD_TOO_LARGE",
  rate_limited: "TOO_MANY_REQUESTS",
  quota_exceeded: "QUOTA_EXCEEDED",
  url_not_allowed: "REMOTE_CONTENT_ERROR",
  internal: "INTERNAL_SERVER_ERROR",
  service_unavailable: "SERVICE_UNAVAILABLE",
};

/** `{err_code, err_msg, request_id}`; what is no audio is a 400 there. */
export const deepgramDoor: Door = {
  name: "Deepgram's API",
  prefix: "/deepgram/",
  renderError: ({ code, status, message }, _request, requestId) => ({
    status: code === "unsupported_media" ? 400 : status,
    body: { err_code: CODES[code] ?? "Bad Request", err_msg: message, request_id: requestId },
    headers: { "dg-request-id": requestId },
  }),
};
