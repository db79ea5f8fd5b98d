import type { Response } from "express";

/** Calls `then` once an answer is over, sent or not: at once where whoever asked went away before this was called. */
export function whenClosed(response: Response, then: () => void): void {
  if (response.closed || response.destroyed) then();
  else response.once("close", then);
}

/** Is aborted when nobody waits for the answer any more. */
export function goneSignal(response: Response): AbortSignal {
  const gone = new AbortController();
  whenClosed(response, () => gone.abort(new Error("The caller went away.")));
  return gone.signal;
}
