import type { RequestError, RequestErrorCode } from "@scribe/domain";
import type { Door } from "../door.ts";

const TYPES: Partial<Record<RequestErrorCode, string>> = {
  unauthorized: "authentication_error",
  forbidden: "permission_error",
  rate_limited: "requests",
  quota_exceeded: "insufficient_quota",
  internal: "server_error",
  service_unavailable: "server_error",
  provider_unauthorized: "server_error",
  insufficient_storage: "server_error",
};

const CODES: Partial<Record<RequestErrorCode, string>> = {
  unauthorized: "invalid_api_key",
  rate_limited: "rate_limit_exceeded",
  quota_exceeded: "insufficient_quota",
  unknown_model: "model_not_found",
};

/** Its clients have no class for a 415, and look for an unknown model under 404. */
const STATUSES: Partial<Record<RequestErrorCode, number>> = { unsupported_media: 400, unknown_model: 404 };

/** `{error: {message, type, param, code}}`; what trying again cannot cure says so, for the client tries again by itself. */
export const openaiDoor: Door = {
  name: "OpenAI's audio API",
  prefix: "/v1/",
  renderError(error, _request, requestId) {
    return {
      status: STATUSES[error.code] ?? error.status,
      body: toOpenaiError(error),
      headers: { "x-request-id": requestId, "x-should-retry": String(mayPass(error)) },
    };
  },
};

export function toOpenaiError(error: RequestError) {
  return {
    error: {
      message: error.message,
      type: TYPES[error.code] ?? "invalid_request_error",
      param: error.errors?.[0]?.path ?? null,
      code: CODES[error.code] ?? null,
    },
  };
}

function mayPass({ code, status, retryAfterSeconds }: RequestError): boolean {
  return code === "rate_limited" || status === 408 || retryAfterSeconds !== undefined;
}
