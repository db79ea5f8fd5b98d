import { RequestError } from "@scribe/domain";
import { SNIFF_BYTES, type SniffedMedia, sniffMedia } from "@scribe/media";
import type { BlobStore } from "@scribe/storage";
import { freePassedBuffers } from "./free-passed-buffers.ts";
import { looksLikeText } from "./looks-like-text.ts";

/** As what a text is stored, where one may be its own transcript. */
export const STUB_MEDIA: SniffedMedia = { container: "text", contentType: "text/plain" };

export interface MediaTarget {
  storage: BlobStore;
  key: string;
  maxBytes: number;
  /** Take text, too: the operator rehearses, and it is its own transcript. */
  acceptText?: boolean;
}

export interface StoredMedia {
  media: SniffedMedia;
  bytes: number;
  /** Hex. */
  sha256: string;
}

/**
 * Streams what looks like audio or video to a key of the store; memory does not grow with it.
 *
 * @throws RequestError `invalid_request` where there is nothing, `unsupported_media`; StorageError
 */
export async function storeMedia(
  file: AsyncIterable<Buffer>,
  { storage, key, maxBytes, acceptText = false }: MediaTarget,
  signal: AbortSignal,
): Promise<StoredMedia> {
  const { head, rest } = await peek(file, SNIFF_BYTES);
  signal.throwIfAborted();
  const refuse = (code: "invalid_request" | "unsupported_media", detail: string, message: string) =>
    new RequestError(code, detail, { errors: [{ path: "file", message }] });
  if (head.length === 0) throw refuse("invalid_request", "`file` is empty.", "is empty");
  const media = sniffMedia(head) ?? (acceptText && looksLikeText(head) ? STUB_MEDIA : null);
  if (media === null) {
    throw refuse("unsupported_media", "The file is no audio or video that is known here.", "is no audio or video");
  }
  const { bytes, sha256 } = await storage.put(key, freePassedBuffers(rest), {
    maxBytes,
    signal,
    contentType: media.contentType,
  });
  return { media, bytes, sha256 };
}

/** The stream's first bytes, and the whole of it again. */
async function peek(
  file: AsyncIterable<Buffer>,
  count: number,
): Promise<{ head: Buffer; rest: AsyncIterable<Uint8Array> }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const iterator = file[Symbol.asyncIterator]();
  while (bytes < count) {
    const { value, done } = await iterator.next();
    if (done) break;
    chunks.push(value);
    bytes += value.length;
  }
  const head = Buffer.concat(chunks, bytes);
  async function* rest() {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { head, rest: rest() };
}
