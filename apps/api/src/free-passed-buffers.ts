import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A collection of so few young objects takes about a millisecond. */
const EVERY_BYTES = 8 * 1024 * 1024;

type Collect = (options: { type: "minor" }) => void;
let collect: Collect | undefined;

/** V8's collector, without `--expose-gc` on the command line. */
function openCollector(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}

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
