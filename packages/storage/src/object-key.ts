import { StorageError } from "./storage-error.ts";

/** Longest key: S3 and GCS allow 1,024 bytes; ours are ASCII. */
const MAX_KEY_LENGTH = 900;
/** File systems allow 255 bytes a name; temporary names need some of it. */
const SEGMENT = /^[A-Za-z0-9_=@+-][A-Za-z0-9._=@+-]{0,199}$/;

/**
 * Throws `invalid_key` unless `key` is a path of plain segments. A segment never begins with a full stop, so neither
 * `..` nor our temporary files can be named; there is no absolute, empty, encoded or non-ASCII key.
 */
export function assertObjectKey(key: string): void {
  if (key.length <= MAX_KEY_LENGTH && key.split("/").every((segment) => SEGMENT.test(segment))) return;
  throw new StorageError("invalid_key", "This is no key of an object.");
}

/** A prefix is the beginning of a key, possibly in the middle of a segment, or empty. */
export function assertKeyPrefix(prefix: string): void {
  if (prefix === "") return;
  assertObjectKey(prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);
}
