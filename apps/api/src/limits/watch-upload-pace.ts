import type { IncomingMessage } from "node:http";

export interface UploadPace {
  /** 0: any pace will do. */
  minBytesPerSecond: number;
  /** Over how long the pace is measured. */
  windowMs: number;
}

/**
 * Calls `onSlow` where a sender stays below the pace for a whole window. While bytes wait here to be read, the pace is
 * ours (a slow store), and the sender is not blamed. Returns the end of watching.
 */
export function watchUploadPace(request: IncomingMessage, pace: UploadPace, onSlow: () => void): () => void {
  const { minBytesPerSecond, windowMs } = pace;
  if (minBytesPerSecond === 0) return () => undefined;
  const needed = (minBytesPerSecond * windowMs) / 1000;
  let before = request.socket.bytesRead;
  const timer = setInterval(() => {
    const now = request.socket.bytesRead;
    const waiting = request.readableLength > 0 || request.isPaused();
    if (!waiting && now - before < needed) {
      clearInterval(timer);
      onSlow();
    }
    before = now;
  }, windowMs).unref();
  return () => clearInterval(timer);
}
