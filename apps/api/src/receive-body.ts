import { RequestError } from "@scribe/domain";
import type { BlobStore, PutResult } from "@scribe/storage";
import type { Request } from "express";
import { freePassedBuffers } from "./free-passed-buffers.ts";
import { type SenderLimits, whileSending } from "./while-sending.ts";

export interface BodyTarget extends SenderLimits {
  storage: BlobStore;
  key: string;
  /** Exactly as many. */
  bytes: number;
  contentType: string;
}

/**
 * Streams a request's whole body to a key that is still free; memory does not grow with it. Whatever goes wrong, nothing
 * stays there.
 *
 * @throws RequestError, StorageError (`conflict` where the key is taken)
 */
export async function receiveBody(request: Request, target: BodyTarget): Promise<PutResult> {
  const length = request.get("content-length");
  if (length === undefined) throw refuse(`\`Content-Length\` must be ${target.bytes}.`, 411);
  if (Number(length) !== target.bytes) throw refuse(`The body must have ${target.bytes} bytes, not ${length}.`);
  return await whileSending(request, target, (signal) =>
    target.storage.put(target.key, freePassedBuffers(request.iterator({ destroyOnReturn: false })), {
      contentType: target.contentType,
      maxBytes: target.bytes,
      ifAbsent: true,
      signal,
    }),
  );
}

function refuse(detail: string, status = 400): RequestError {
  return new RequestError("invalid_request", detail, { status });
}
