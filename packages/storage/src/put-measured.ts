import type { BlobStore, PutOptions, PutResult } from "./blob-store.ts";
import { type MeasuredBody, measureBody } from "./measure-body.ts";
import { assertObjectKey } from "./object-key.ts";

/** How a bucket takes an object. */
export interface ObjectSender {
  /** Sends the bytes as they come; resolves with the object's etag, once it is there whole. */
  send(key: string, chunks: MeasuredBody["chunks"], how: PutOptions): Promise<string>;
  /** What its client throws, as a `StorageError`. */
  mapError(error: unknown): unknown;
}

/** `put` of a bucket: counts and hashes what passes; what ended the body comes before what the client made of that. */
export function putMeasured({ send, mapError }: ObjectSender): BlobStore["put"] {
  return async (key, given, how = {}): Promise<PutResult> => {
    assertObjectKey(key);
    const body = measureBody(given, how);
    try {
      how.signal?.throwIfAborted();
      const etag = await send(key, body.chunks, how);
      return { ...body.measured(), etag };
    } catch (error) {
      throw body.failure()?.reason ?? mapError(error);
    } finally {
      body.close();
    }
  };
}
