export type StorageErrorCode =
  | "invalid_key"
  | "invalid_range"
  | "not_found"
  | "conflict"
  | "payload_too_large"
  | "insufficient_storage"
  | "service_unavailable";

/** Messages name keys at most, never a path of the machine. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;
  readonly retryable: boolean;

  constructor(code: StorageErrorCode, message: string, details: { cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.retryable = code === "service_unavailable" || code === "insufficient_storage";
  }
}
