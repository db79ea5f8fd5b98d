import { StorageError, type StorageErrorCode } from "../storage-error.ts";

const BY_NAME: Record<string, [StorageErrorCode, string]> = {
  NoSuchBucket: ["service_unavailable", "The bucket does not exist."],
  AccessDenied: ["service_unavailable", "The bucket refuses these credentials."],
  InvalidAccessKeyId: ["service_unavailable", "The bucket does not know these credentials."],
  SignatureDoesNotMatch: ["service_unavailable", "The bucket refuses these credentials."],
  CredentialsProviderError: ["service_unavailable", "There are no credentials for the bucket."],
  XMinioStorageFull: ["insufficient_storage", "The object store is full."],
  QuotaExceeded: ["insufficient_storage", "The object store's quota is used up."],
};

const BY_STATUS: Record<number, [StorageErrorCode, string]> = {
  404: ["not_found", "There is no such object."],
  // Two writers of one key at once.
  409: ["conflict", "The object is being changed by another."],
  412: ["conflict", "The object was changed meanwhile, or is there already."],
  413: ["payload_too_large", "The object is larger than the object store allows."],
  416: ["invalid_range", "The object does not reach this far."],
  507: ["insufficient_storage", "The object store is full."],
};

/** Errors of S3 and of its client in the words of the store; what is a StorageError already stays. */
export function mapS3Error(thrown: unknown): StorageError {
  if (thrown instanceof StorageError) return thrown;
  const { name = "", $metadata } = (thrown ?? {}) as { name?: string; $metadata?: { httpStatusCode?: number } };
  if (name === "EntityTooLarge") return new StorageError("payload_too_large", BY_STATUS[413]![1], { cause: thrown });
  const known = BY_NAME[name] ?? BY_STATUS[$metadata?.httpStatusCode ?? 0];
  const [code, message] = known ?? (["service_unavailable", "The object store does not answer."] as const);
  return new StorageError(code, message, { cause: thrown });
}
