import { Readable } from "node:stream";
import type { Deadlines } from "./deadlines.ts";
import { OutboundError } from "./outbound-error.ts";
import type { FetchLimits } from "./policy.ts";
import type { HopAnswer } from "./request-hop.ts";

/**
 * The answer's bytes, counted and timed while they pass: fails with `too_large`, `timeout_idle`, `timeout_total`,
 * `short_body`, or the caller's own reason. The idle limit runs only while the reader waits for us. The connection is
 * gone when the stream is.
 */
export function boundedBody(answer: HopAnswer, method: string, limits: FetchLimits, deadlines: Deadlines): Readable {
  const announced = announcedBytes(answer, method);
  const { signal } = deadlines;
  if (announced !== null && announced > limits.maxBytes) throw tooLarge(limits.maxBytes);

  const source = answer.body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let bytes = 0;

  /** The next piece, or null at the end. */
  async function next(): Promise<Buffer | null> {
    deadlines.begin("timeout_idle", limits.idleTimeoutMs);
    const { done, value } = await source.next().catch((cause: unknown) => {
      throw signal.aborted
        ? signal.reason
        : new OutboundError("short_body", "The server broke off before the end.", { cause });
    });
    deadlines.pause();
    signal.throwIfAborted();
    if (!done) {
      bytes += value.length;
      if (bytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
      return value;
    }
    if (announced !== null && bytes < announced) {
      throw new OutboundError("short_body", "The server sent less than it had announced.");
    }
    return null;
  }

  const body = new Readable({
    read() {
      next().then(
        (piece) => this.push(piece),
        (error: unknown) => this.destroy(asError(error)),
      );
    },
    destroy(error, done) {
      signal.removeEventListener("abort", stop);
      deadlines.end();
      answer.destroy();
      done(error);
    },
  });
  // A reader that waits elsewhere learns of the end of time, too.
  const stop = () => body.destroy(asError(signal.reason));
  signal.addEventListener("abort", stop, { once: true });
  // Whoever reads gets the error; whoever does not read must not be brought down by it.
  body.on("error", () => {});
  return body;
}

function announcedBytes({ headers, status }: HopAnswer, method: string): number | null {
  const length = headers["content-length"];
  if (method === "HEAD" || status === 204 || status === 304 || headers["transfer-encoding"] !== undefined) return null;
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : null;
}

function tooLarge(maxBytes: number): OutboundError {
  return new OutboundError("too_large", `The answer is larger than the ${maxBytes} bytes that are allowed.`);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
