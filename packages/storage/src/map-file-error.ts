import { StorageError } from "./storage-error.ts";

const CODES: Record<string, [ConstructorParameters<typeof StorageError>[0], string]> = {
  ENOENT: ["not_found", "There is no such object."],
  ENOSPC: ["insufficient_storage", "The disk is full."],
  EDQUOT: ["insufficient_storage", "The disk quota is used up."],
  EFBIG: ["insufficient_storage", "The object is larger than the file system allows."],
  EEXIST: ["conflict", "There is an object with this key already."],
  EISDIR: ["conflict", "The key is the beginning of other keys."],
  ENOTEMPTY: ["conflict", "The key is the beginning of other keys."],
  ENOTDIR: ["conflict", "A beginning of the key is an object itself."],
};

/** Errors of the file system in the words of the store; what is a StorageError already stays. */
export function mapFileError(thrown: unknown): StorageError {
  if (thrown instanceof StorageError) return thrown;
  const code = (thrown as NodeJS.ErrnoException | null)?.code;
  const [mapped, message] = (code && CODES[code]) || (["service_unavailable", "The storage does not answer."] as const);
  return new StorageError(mapped, message, { cause: thrown });
}
