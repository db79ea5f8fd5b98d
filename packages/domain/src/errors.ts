/**
 * The catalogue of what can go wrong. A request error is answered at once as a problem (RFC 9457); a job error ends an
 * attempt and is shown on the job. Messages are safe to show: no path, SQL, address or secret is ever put into one.
 */
export const REQUEST_ERRORS = {
  invalid_request: 400,
  unknown_model: 400,
  url_not_allowed: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media: 415,
  idempotency_mismatch: 422,
  rate_limited: 429,
  quota_exceeded: 429,
  internal: 500,
  provider_unauthorized: 502,
  service_unavailable: 503,
  insufficient_storage: 507,
} as const;

export type RequestErrorCode = keyof typeof REQUEST_ERRORS;

/** Whether another attempt may end differently: `true` is charged to `attempts`, `false` ends the job. */
export const JOB_ERRORS = {
  url_not_allowed: false,
  audio_fetch_failed: true,
  audio_expired: false,
  audio_too_large: false,
  audio_too_long: false,
  unsupported_audio: false,
  no_audio_stream: false,
  model_unavailable: true,
  invalid_model: false,
  language_unsupported: false,
  out_of_memory: true,
  timeout: true,
  worker_crashed: false,
  provider_error: true,
  provider_unauthorized: false,
  internal: true,
} as const;

export type JobErrorCode = keyof typeof JOB_ERRORS;

export interface FieldProblem {
  path: string;
  message: string;
}

export interface RequestErrorDetails {
  /** A status of its own where the code has none (405, 406, 408, 414, 416, 431 are `invalid_request`). */
  status?: number;
  errors?: FieldProblem[];
  /** Seconds, for the Retry-After header. */
  retryAfterSeconds?: number;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** An error that a caller is told of: `code` and `status` of the contract, `message` written for the caller. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: RequestErrorCode;
  readonly status: number;
  readonly errors: FieldProblem[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Record<string, string>;

  constructor(code: RequestErrorCode, message: string, details: RequestErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.status = details.status ?? REQUEST_ERRORS[code];
    this.errors = details.errors;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.headers = details.headers ?? {};
  }
}

/** What a job shows under `error`. */
export interface JobErrorView {
  code: JobErrorCode;
  message: string;
  retryable: boolean;
}

/** An error that ends an attempt of a job. `retryable` is the catalogue's unless the place that throws knows better. */
export class JobError extends Error {
  override readonly name = "JobError";
  readonly code: JobErrorCode;
  readonly retryable: boolean;
  /** The next attempt comes no sooner; what somebody else asked for. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: JobErrorCode,
    message: string,
    details: { retryable?: boolean; retryAfterSeconds?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? JOB_ERRORS[code];
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  view(): JobErrorView {
    return { code: this.code, message: this.message, retryable: this.retryable };
  }
}

export function isJobErrorCode(code: unknown): code is JobErrorCode {
  return typeof code === "string" && Object.hasOwn(JOB_ERRORS, code);
}

/**
 * What any thrown thing means for a job. Packages below throw errors of their own that carry `code` and `retryable`;
 * what carries neither is `internal`, and its message stays in the log.
 */
export function toJobError(thrown: unknown): JobError {
  if (thrown instanceof JobError) return thrown;
  if (thrown instanceof Error) {
    const { code, retryable } = thrown as Error & { code?: unknown; retryable?: unknown };
    if (isJobErrorCode(code)) {
      return new JobError(code, thrown.message, {
        cause: thrown,
        ...(typeof retryable === "boolean" ? { retryable } : {}),
      });
    }
  }
  return new JobError("internal", "Something went wrong on our side; the job will be tried again.", { cause: thrown });
}
