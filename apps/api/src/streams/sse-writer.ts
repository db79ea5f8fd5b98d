import type { Response } from "express";

/** The socket took nothing for `slowMs`. */
export class SlowReader extends Error {
  override readonly name = "SlowReader";
}

/** Writes Server-Sent Events and waits while the socket is full, so that at most one event is buffered beyond it. */
export function openSseWriter(response: Response, signal: AbortSignal, slowMs: number) {
  response.writeHead(200, {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-store, no-transform",
    // nginx would hold events back until its buffer is full.
    "X-Accel-Buffering": "no",
  });
  response.flushHeaders();

  async function write(text: string): Promise<void> {
    signal.throwIfAborted();
    if (response.write(text)) return;
    await drained(response, signal, slowMs);
  }

  return {
    event: (type: string, data: unknown, id?: number) =>
      write(`${id === undefined ? "" : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
    /** Without a type, as some clients know them. */
    data: (data: unknown) => write(`data: ${JSON.stringify(data)}\n\n`),
    comment: (text = "") => write(`: ${text}\n\n`),
    /** What may be lost is not waited for. */
    hasRoom: () => !response.writableNeedDrain,
    /** Says why, and when to come again, without waiting. */
    end(parting = ""): void {
      if (response.writableEnded || response.destroyed) return;
      response.end(parting);
      if (!response.writableNeedDrain) return;
      // Whoever does not read would keep the socket for ever.
      setTimeout(() => response.destroy(), 1_000).unref();
    },
  };
}

export type SseWriter = ReturnType<typeof openSseWriter>;

async function drained(response: Response, signal: AbortSignal, slowMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  const timer = setTimeout(() => reject(new SlowReader("The reader is too slow.")), slowMs);
  response.once("drain", resolve);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    response.off("drain", resolve);
    signal.removeEventListener("abort", onAbort);
  }
}
