import type { GetOptions } from "./blob-store.ts";
import { StorageError } from "./storage-error.ts";

/** The header `Range` for what is to be read (RFC 9110, section 14.1.2); undefined for all of it. Throws `invalid_range`. */
export function rangeHeader(range: GetOptions["range"]): string | undefined {
  if (range === undefined) return undefined;
  if (range.start < 0 || (range.end !== undefined && range.end < range.start)) {
    throw new StorageError("invalid_range", "The range ends before it begins.");
  }
  return `bytes=${range.start}-${range.end ?? ""}`;
}
