import { RequestError, safeText } from "@scribe/domain";

const key = safeText(256).min(1).nullish();

/** What callers name a file by that they have sent: either name does. */
export const storageKeyField = { storage_key: key, key };

/** @throws RequestError 400 where there is none, or two that differ */
export function readStorageKey(body: {
  storage_key?: string | null | undefined;
  key?: string | null | undefined;
}): string {
  const found = body.storage_key ?? body.key;
  if (found == null || (body.key ?? found) !== found) {
    const message = found == null ? "is needed" : "differs from `key`";
    throw new RequestError("invalid_request", `\`storage_key\` ${message}.`, {
      errors: [{ path: "storage_key", message }],
    });
  }
  return found;
}
