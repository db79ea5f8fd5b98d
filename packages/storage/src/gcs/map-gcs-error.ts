import { StorageError, type StorageErrorCode } from "../storage-error.ts";

const BY_STATUS: Record<number, [StorageErrorCode, string]> = {
  401: ["service_unavailable", "The bucket refuses these credentials."],
  403: ["service_unavailable", "The bucket refuses these credentials."],
  404: ["not_found", "There is no such object."],
  409: ["conflict", "The object is being changed by another."],
  412: ["conflict", "The object was changed meanwhile, or is there already."],
  413: ["payload_too_large", "The object is larger than the object store allows."],
  416: ["invalid_range", "The object does not reach this far."],
};

/** Errors of GCS and of its client in the words of the store; what is a StorageError already stays. */
export function mapGcsError(thrown: unknown): StorageError {
  if (thrown instanceof StorageError) return thrown;
  const { code, status, message = "" } = (thrown ?? {}) as { code?: unknown; status?: unknown; message?: string };
  if (/bucket does not exist/i.test(message)) {
    return new StorageError("service_unavailable", "The bucket does not exist.", { cause: thrown });
  }
  const known = BY_STATUS[Number(code)] ?? BY_STATUS[Number(status)];
  const [mapped, text] = known ?? (["service_unavailable", "The object store does not answer."] as const);
  return new StorageError(mapped, text, { cause: thrown });
}
