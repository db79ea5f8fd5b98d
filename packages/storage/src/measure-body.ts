import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { StorageError } from "./storage-error.ts";

export interface MeasuredBody {
  /** The body's bytes, counted and hashed on the way; ends with what the body threw, or `payload_too_large`. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Of what has passed so far. */
  measured(): { bytes: number; sha256: string };
  /** Why a put failed where that was not the store's doing: the signal's reason, or what the body itself threw. */
  failure(): { reason: unknown } | undefined;
  /** Lets go of the body: it is destroyed where it has not ended. */
  close(): void;
}

/** A body that is put: its failures are told from the store's, and an abort destroys it at once. */
export function measureBody(
  body: Readable | AsyncIterable<Uint8Array>,
  { signal, maxBytes }: { signal?: AbortSignal | undefined; maxBytes?: number | undefined },
): MeasuredBody {
  const source = body instanceof Readable ? body : Readable.from(body, { objectMode: false });
  const hash = createHash("sha256");
  let bytes = 0;
  let failure: { reason: unknown } | undefined;
  const stop = () => source.destroy(signal?.reason);
  // Destroying the source before it is read emits an error that nobody else may be listening to.
  source.on("error", () => {});
  signal?.addEventListener("abort", stop, { once: true });

  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source as AsyncIterable<Uint8Array>) {
        bytes += chunk.byteLength;
        if (maxBytes !== undefined && bytes > maxBytes) {
          throw new StorageError("payload_too_large", `The object is larger than ${maxBytes} bytes.`);
        }
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      failure ??= { reason: error };
      throw error;
    }
  }

  return {
    chunks: chunks(),
    measured: () => ({ bytes, sha256: hash.copy().digest("hex") }),
    failure: () => (signal?.aborted ? { reason: signal.reason } : failure),
    close() {
      signal?.removeEventListener("abort", stop);
      source.destroy();
    },
  };
}
