import { RequestError } from "@scribe/domain";
import type { BlobStore, PutResult } from "@scribe/storage";
import type { Request } from "express";
import { freePassedBuffers } from "./free-passed-buffers.ts";
import { type UploadPace, watchUploadPace } from "./limits/watch-upload-pace.ts";

export interface BodyTarget {
  storage: BlobStore;
  key: string;
  /** Exactly as many. */
  bytes: number;
  contentType: string;
  /** A sender that is silent for this long is given up. */
  idleMs: number;
  pace: UploadPace;
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
  const stop = new AbortController();
  const onGone = () => {
    if (!request.complete) stop.abort(refuse("The upload ended early."));
  };
  const onIdle = () => stop.abort(refuse("The upload stood still for too long.", 408));
  const stopWatching = watchUploadPace(request, target.pace, () => stop.abort(refuse("The upload is too slow.", 408)));
  request.once("close", onGone);
  request.setTimeout(target.idleMs, onIdle);
  try {
    return await target.storage.put(target.key, freePassedBuffers(request.iterator({ destroyOnReturn: false })), {
      contentType: target.contentType,
      maxBytes: target.bytes,
      ifAbsent: true,
      signal: stop.signal,
    });
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    stopWatching();
    request.off("close", onGone);
    request.setTimeout(0).off("timeout", onIdle);
  }
}

function refuse(detail: string, status = 400): RequestError {
  return new RequestError("invalid_request", detail, { status });
}
