import { type Collect, openCollector } from "@scribe/telemetry";

/** A collection of so few young objects takes about a millisecond. */
const EVERY_BYTES = 8 * 1024 * 1024;

let collect: Collect | undefined;

/**
 * Passes chunks through and has their memory freed behind them. Left alone, V8 lets some 60 MiB of buffers that a socket
 * filled lie about before it collects them; fresh pages for each also make a large upload take twice as long.
 */
export async function* freePassedBuffers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.byteLength;
    if (bytes >= EVERY_BYTES) {
      bytes = 0;
      collect ??= openCollector();
      collect({ type: "minor" });
    }
    yield chunk;
  }
}
