import { RequestError } from "@scribe/domain";
import type { Request } from "express";
import { type UploadPace, watchUploadPace } from "./limits/watch-upload-pace.ts";

export interface SenderLimits {
  /** A sender that is silent for this long is given up. */
  idleMs: number;
  pace: UploadPace;
}

/**
 * Runs what reads a request's body, and ends it through its signal where the sender goes away, stands still or is too
 * slow.
 *
 * @throws RequestError that says which; what `read` throws
 */
export async function whileSending<T>(
  request: Request,
  { idleMs, pace }: SenderLimits,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // Whoever went away before anybody read sends no end either.
  if (request.destroyed) throw refuse("The upload ended early.");
  const stop = new AbortController();
  const onGone = () => {
    if (!request.complete) stop.abort(refuse("The upload ended early."));
  };
  const onIdle = () => stop.abort(refuse("The upload stood still for too long.", 408));
  const stopWatching = watchUploadPace(request, pace, () => stop.abort(refuse("The upload is too slow.", 408)));
  request.once("close", onGone);
  request.setTimeout(idleMs, onIdle);
  try {
    return await read(stop.signal);
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
