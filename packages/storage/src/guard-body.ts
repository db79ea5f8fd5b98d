import { Readable } from "node:stream";
import { StorageError } from "./storage-error.ts";

export interface BodyGuard {
  readonly signal?: AbortSignal | undefined;
  /** What was announced; a body that ends earlier is a failure, not an end. */
  readonly bytes?: number | undefined;
  /** A store that sends nothing for this long is given up. */
  readonly idleMs: number;
}

/**
 * An object's bytes as they come over the network: what breaks becomes a `StorageError`, an abort the signal's reason,
 * and letting go of the stream lets go of the connection.
 */
export function guardBody(source: Readable, { signal, bytes, idleMs }: BodyGuard): Readable {
  const idle = setTimeout(() => source.destroy(new Error(`no byte for ${idleMs} ms`)), idleMs);
  const stop = () => source.destroy(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  source.on("error", () => {});
  let seen = 0;

  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source as AsyncIterable<Uint8Array>) {
        seen += chunk.byteLength;
        clearTimeout(idle);
        yield chunk;
        // Only the wait for the store counts: a slow reader may take its time.
        idle.refresh();
      }
      if (bytes !== undefined && seen !== bytes) throw new Error(`${seen} of ${bytes} bytes came`);
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw new StorageError("service_unavailable", "The storage broke off while it sent an object.", { cause });
    }
  }

  const guarded = Readable.from(chunks(), { objectMode: false, highWaterMark: 256 * 1024 });
  if (signal?.aborted) stop();
  return guarded.once("close", () => {
    clearTimeout(idle);
    signal?.removeEventListener("abort", stop);
    source.destroy();
  });
}
