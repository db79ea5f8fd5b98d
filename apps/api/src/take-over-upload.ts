import { buffer } from "node:stream/consumers";
import type { UploadRow } from "@scribe/database";
import { RequestError, uuidV7 } from "@scribe/domain";
import { SNIFF_BYTES, sniffMedia } from "@scribe/media";
import { type BlobStat, type BlobStore, StorageError } from "@scribe/storage";

export interface TakenOver {
  key: string;
  contentType: string;
  sha256: string | undefined;
}

/**
 * Copies what was sent to a key that no client ever had. Only what was looked at is copied, by its etag: whoever holds
 * the address could change the bytes at any moment before. For the same reason the hash is that of the copy, and there is
 * none where the store has made it by itself: what it says of the original's content is the sender's word, or no SHA-256.
 * Workers hash what they read.
 *
 * @throws RequestError `conflict` where nothing is there, or something else by now; `unsupported_media`
 */
export async function takeOverUpload(
  storage: BlobStore,
  upload: Pick<UploadRow, "tenantId" | "storageKey" | "sizeBytes">,
  signal: AbortSignal,
): Promise<TakenOver> {
  const seen = await storage.stat(upload.storageKey, { signal });
  if (!seen) throw new RequestError("conflict", "The bytes of this upload have not come yet.");
  if (seen.bytes !== upload.sizeBytes) {
    throw new RequestError("conflict", `${seen.bytes} bytes came, ${upload.sizeBytes} were announced.`);
  }
  try {
    const media = sniffMedia(await readHead(storage, seen, signal));
    if (media === null) {
      throw new RequestError("unsupported_media", "The file is no audio or video that is known here.");
    }
    const key = `audio/${upload.tenantId}/${uuidV7()}/source`;
    const { sha256 } = await storage.copy(seen.key, key, { ifMatch: seen.etag, signal });
    return { key, contentType: media.contentType, sha256 };
  } catch (error) {
    if (!(error instanceof StorageError) || (error.code !== "conflict" && error.code !== "not_found")) throw error;
    throw new RequestError("conflict", "The bytes were changed while they were taken over.", { cause: error });
  }
}

async function readHead(storage: BlobStore, { key, etag, bytes }: BlobStat, signal: AbortSignal): Promise<Buffer> {
  const range = { start: 0, end: Math.min(SNIFF_BYTES, bytes) - 1 };
  return await buffer(await storage.get(key, { range, ifMatch: etag, signal }));
}
