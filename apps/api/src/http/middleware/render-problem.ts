import { AllowanceExceeded, isDatabaseUnavailable, TooManyOpen } from "@scribe/database";
import { isUuid, RequestError, type RequestErrorCode } from "@scribe/domain";
import { OutboundError } from "@scribe/outbound";
import { StorageError } from "@scribe/storage";
import type { ErrorRequestHandler, Response } from "express";
import { doorOf } from "../compat/doors.ts";
import { PROBLEM_TYPE, toProblem } from "../problem.ts";
import type { RequestLocals } from "./log-requests.ts";

const JSON_TYPE = "application/json; charset=utf-8";

/** How long a caller waits before it tries again what needs the database or the store. */
const RETRY_AFTER_SECONDS = 5;

/** The one place where an error becomes an answer. What is not meant for callers is logged and told as `internal`. */
export function renderProblem(): ErrorRequestHandler {
  return (thrown, request, response, _next) => {
    response.locals.failure = thrown;
    if (response.headersSent) {
      // Half an answer is out: cutting the connection is the only way left to say that it is not whole.
      response.destroy();
      return;
    }
    const error = toRequestError(thrown);
    const { requestId } = response.locals as RequestLocals;
    const foreign = doorOf(request.path)?.renderError(error, request, requestId);
    const { status, body, headers = {} } = foreign ?? { status: error.status, body: toProblem(error, requestId) };
    send(response, { status, headers: { ...headersOf(error), ...headers } }, foreign ? JSON_TYPE : PROBLEM_TYPE, body);
  };
}

function headersOf({ headers, retryAfterSeconds }: RequestError): Record<string, string> {
  return { ...headers, ...(retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) }) };
}

function send(
  response: Response,
  { status, headers }: { status: number; headers: Record<string, string> },
  type: string,
  body: unknown,
): void {
  const text = JSON.stringify(body);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.statusCode = status;
  response.setHeader("Content-Type", type);
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(text);
}

function toRequestError(thrown: unknown): RequestError {
  if (thrown instanceof RequestError) return thrown;
  if (thrown instanceof StorageError) return fromStorage(thrown);
  if (thrown instanceof OutboundError && thrown.code === "url_not_allowed") {
    return new RequestError("url_not_allowed", thrown.message, { cause: thrown });
  }
  if (thrown instanceof AllowanceExceeded) return fromAllowance(thrown);
  if (thrown instanceof TooManyOpen) {
    return new RequestError("quota_exceeded", `This tenant may have ${thrown.limit} ${thrown.what} under way.`, {
      cause: thrown,
      retryAfterSeconds: FULL_RETRY_SECONDS,
    });
  }
  if (isDatabaseUnavailable(thrown)) {
    return new RequestError("service_unavailable", "The database cannot be reached just now.", {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause: thrown,
    });
  }
  if (isBadPath(thrown)) return new RequestError("invalid_request", "The path is not well-formed.", { cause: thrown });
  return new RequestError("internal", "Something went wrong on our side.", { cause: thrown });
}

const FROM_STORAGE: Partial<Record<StorageError["code"], [RequestErrorCode, string]>> = {
  payload_too_large: ["payload_too_large", "The file is too large."],
  insufficient_storage: ["insufficient_storage", "There is no room left to store this."],
  service_unavailable: ["service_unavailable", "The store cannot be reached just now."],
};

function fromStorage(error: StorageError): RequestError {
  const [code, message] = FROM_STORAGE[error.code] ?? ["internal", "Something went wrong on our side."];
  return new RequestError(code, message, {
    cause: error,
    ...(code === "service_unavailable" ? { retryAfterSeconds: RETRY_AFTER_SECONDS } : {}),
  });
}

const FULL_RETRY_SECONDS = 60;

function fromAllowance(error: AllowanceExceeded): RequestError {
  const { which, limitSeconds } = error;
  const message =
    which === "queued"
      ? `The audio of this tenant's jobs that have not ended is limited to ${limitSeconds} seconds.`
      : `The audio of this tenant is limited to ${limitSeconds} seconds a day.`;
  const untilTomorrow = Math.ceil((new Date().setUTCHours(24, 0, 0, 0) - Date.now()) / 1000);
  return new RequestError("quota_exceeded", message, {
    cause: error,
    retryAfterSeconds: which === "queued" ? FULL_RETRY_SECONDS : untilTomorrow,
  });
}

/** Express cannot decode `%zz` in a path. */
function isBadPath(thrown: unknown): boolean {
  return thrown instanceof URIError || (thrown instanceof Error && (thrown as { status?: number }).status === 400);
}

/** What is no id, and what is somebody else's, is told in the same words. */
export function notFound(what: string): RequestError {
  return new RequestError("not_found", `There is no such ${what}.`);
}

/** The path's id; one that has not even the form of one names nothing. */
export function idFrom(params: Record<string, string>, what: string): string {
  const id = params.id ?? "";
  if (!isUuid(id)) throw notFound(what);
  return id.toLowerCase();
}
