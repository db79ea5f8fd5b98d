import type { RequestHandler } from "express";

/** How much of a refused body is still read, so that its sender gets to see the answer. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_MS = 5_000;

/**
 * A request that was answered before its body had come: the rest is read and thrown away for a moment, for a connection
 * that is cut while its sender still writes loses the answer. Then it is cut.
 */
export function discardLeftovers(): RequestHandler {
  return (request, response, next) => {
    response.once("finish", () => {
      if (request.complete || request.destroyed) return;
      let bytes = 0;
      const cut = () => request.socket.destroy();
      const timer = setTimeout(cut, MAX_MS).unref();
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BYTES) cut();
      });
      request.once("close", () => clearTimeout(timer));
      request.once("end", () => clearTimeout(timer));
      request.resume();
    });
    next();
  };
}
