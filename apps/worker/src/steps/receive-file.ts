import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";

export interface ReceivedFile {
  bytes: number;
  /** Hex. */
  sha256: string;
}

/** No byte came for too long. */
export class StreamIdle extends Error {
  override readonly name = "StreamIdle";
}

/**
 * Writes a stream to a new file and hashes it on the way; memory does not grow with it.
 *
 * @throws StreamIdle after `idleMs` without a byte; the signal's reason; whatever the stream ends with
 */
export async function receiveFile(
  body: Readable,
  path: string,
  { signal, idleMs, onBytes }: { signal: AbortSignal; idleMs: number; onBytes?: (bytes: number) => void },
): Promise<ReceivedFile> {
  const hash = createHash("sha256");
  const stop = () => body.destroy(signal.reason);
  const idle = setTimeout(() => body.destroy(new StreamIdle(`no byte for ${idleMs} ms`)), idleMs);
  let bytes = 0;
  try {
    signal.throwIfAborted();
    signal.addEventListener("abort", stop, { once: true });
    await using file = await open(path, "wx", 0o600);
    for await (const chunk of body as AsyncIterable<Buffer>) {
      idle.refresh();
      hash.update(chunk);
      await file.writeFile(chunk);
      bytes += chunk.length;
      onBytes?.(bytes);
    }
    signal.throwIfAborted();
    return { bytes, sha256: hash.digest("hex") };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(idle);
    signal.removeEventListener("abort", stop);
    body.destroy();
  }
}
