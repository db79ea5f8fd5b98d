import { createHash, randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { type FileHandle, link, mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { mapFileError } from "./map-file-error.ts";
import { StorageError } from "./storage-error.ts";

/** No key has a segment that begins with a full stop, so a temporary file is never an object. */
export const TEMPORARY_PREFIX = ".put-";

export interface AtomicWrite {
  readonly signal?: AbortSignal | undefined;
  readonly maxBytes?: number | undefined;
  readonly ifAbsent?: boolean | undefined;
  /** Called before the first byte and then every 32 MiB; what it throws ends the write. */
  readonly checkSpace: () => Promise<void>;
}

const CHECK_SPACE_EVERY_BYTES = 32 * 1024 * 1024;

/**
 * Writes `body` to a temporary file beside `path`, syncs it, and puts it in its place in one step: whoever opens `path`
 * sees the old content, the whole new one, or nothing. Consumes or destroys `body` in every case; on failure nothing is
 * left behind. Throws the signal's reason, what the body threw, or a `StorageError`.
 */
export async function writeAtomically(path: string, body: AsyncIterable<Uint8Array>, how: AtomicWrite) {
  const source = body instanceof Readable ? body : Readable.from(body, { objectMode: false });
  const stop = () => source.destroy(how.signal?.reason);
  // Destroying the source before it is read emits an error that nobody else may be listening to.
  source.on("error", () => {});
  how.signal?.addEventListener("abort", stop, { once: true });
  let temporary: string | undefined;
  let sourceFailure: { error: unknown } | undefined;
  async function* chunks() {
    try {
      yield* source as AsyncIterable<Uint8Array>;
    } catch (error) {
      sourceFailure = { error };
      throw error;
    }
  }
  try {
    how.signal?.throwIfAborted();
    await how.checkSpace();
    temporary = join(dirname(path), TEMPORARY_PREFIX + randomUUID());
    const handle = await openInFolder(temporary);
    let written: { bytes: number; sha256: string; stats: BigIntStats };
    try {
      const copied = await copyInto(handle, chunks(), how);
      await handle.sync();
      written = { ...copied, stats: await handle.stat({ bigint: true }) };
    } finally {
      await handle.close();
    }
    how.signal?.throwIfAborted();
    if (how.ifAbsent) await link(temporary, path);
    else {
      await rename(temporary, path);
      temporary = undefined;
    }
    await syncFolder(dirname(path));
    return written;
  } catch (error) {
    source.destroy();
    if (how.signal?.aborted) throw how.signal.reason;
    throw sourceFailure ? sourceFailure.error : mapFileError(error);
  } finally {
    how.signal?.removeEventListener("abort", stop);
    if (temporary !== undefined) await unlink(temporary).catch(() => {});
  }
}

async function copyInto(handle: FileHandle, source: AsyncIterable<Uint8Array>, how: AtomicWrite) {
  const hash = createHash("sha256");
  let bytes = 0;
  let checkAt = CHECK_SPACE_EVERY_BYTES;
  for await (const chunk of source) {
    bytes += chunk.byteLength;
    if (how.maxBytes !== undefined && bytes > how.maxBytes) {
      throw new StorageError("payload_too_large", `The object is larger than ${how.maxBytes} bytes.`);
    }
    if (bytes >= checkAt) {
      checkAt += CHECK_SPACE_EVERY_BYTES;
      await how.checkSpace();
    }
    hash.update(chunk);
    for (let offset = 0; offset < chunk.byteLength; ) {
      offset += (await handle.write(chunk, offset)).bytesWritten;
    }
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** A removal beside us may prune the folder between making it and opening the file: then once more. */
async function openInFolder(path: string): Promise<FileHandle> {
  for (let tries = 1; ; tries++) {
    await mkdir(dirname(path), { recursive: true });
    try {
      return await open(path, "wx", 0o640);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || tries === 5) throw error;
    }
  }
}

/** The new name must survive a power cut, too. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
