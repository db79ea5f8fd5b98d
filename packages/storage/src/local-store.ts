import type { BigIntStats } from "node:fs";
import { mkdir, open, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import type { BlobStat, BlobStore, CopyResult, GetOptions, PutOptions, PutResult, StorageUsage } from "./blob-store.ts";
import { diskSpace } from "./disk-space.ts";
import { mapFileError } from "./map-file-error.ts";
import { assertKeyPrefix, assertObjectKey } from "./object-key.ts";
import { StorageError } from "./storage-error.ts";
import { walkFiles } from "./walk-files.ts";
import { TEMPORARY_PREFIX, writeAtomically } from "./write-atomically.ts";

export interface LocalStoreOptions {
  /** Made where it is missing. */
  readonly root: string;
  /** A put that would leave less than this free on the disk is refused with `insufficient_storage`. Default 0. */
  readonly reserveBytes?: number;
}

/** A temporary file that nobody has written to for this long belongs to no one: writing renews its time. */
const ABANDONED_AFTER_MS = 3_600_000;

/** Objects as files below one folder, whose tree is the keys'. No content type is kept. */
export function createLocalStore({ root, reserveBytes = 0 }: LocalStoreOptions): BlobStore {
  const pathOf = (key: string) => {
    assertObjectKey(key);
    return join(root, key);
  };

  async function checkSpace(): Promise<void> {
    if (reserveBytes === 0) return;
    await mkdir(root, { recursive: true });
    const { freeBytes } = await diskSpace(root);
    if (freeBytes < reserveBytes) throw new StorageError("insufficient_storage", "The disk is almost full.");
  }

  async function put(key: string, body: Readable | AsyncIterable<Uint8Array>, options: PutOptions = {}) {
    const path = pathOf(key);
    const { signal, maxBytes, ifAbsent } = options;
    const { bytes, sha256, stats } = await writeAtomically(path, body, { signal, maxBytes, ifAbsent, checkSpace });
    return { bytes, sha256, etag: etagOf(stats) } satisfies PutResult;
  }

  async function get(key: string, { range, signal, ifMatch }: GetOptions = {}): Promise<Readable> {
    signal?.throwIfAborted();
    const { handle, stats } = await openObject(pathOf(key));
    await refuseOther(ifMatch, { handle, stats });
    const bytes = Number(stats.size);
    if (range && (range.start < 0 || range.start >= bytes || (range.end !== undefined && range.end < range.start))) {
      await handle.close();
      throw new StorageError("invalid_range", `The object has ${bytes} bytes.`);
    }
    // Bounded by the size that was seen: nothing is appended to an object, but an empty one must not be read "from 0 to -1".
    const stream = handle.createReadStream({
      start: range?.start ?? 0,
      end: range ? Math.min(range.end ?? bytes - 1, bytes - 1) : Number.POSITIVE_INFINITY,
      highWaterMark: 256 * 1024,
    });
    const stop = () => stream.destroy(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    stream.once("close", () => signal?.removeEventListener("abort", stop));
    return stream;
  }

  async function statObject(key: string): Promise<BlobStat | null> {
    const path = pathOf(key);
    try {
      const stats = await stat(path, { bigint: true });
      return stats.isFile() ? toBlobStat(key, stats) : null;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return null;
      throw mapFileError(error);
    }
  }

  async function remove(key: string): Promise<boolean> {
    const path = pathOf(key);
    if ((await statObject(key)) === null) return false;
    try {
      await unlink(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw mapFileError(error);
    }
    await pruneEmptyFolders(dirname(path));
    return true;
  }

  async function pruneEmptyFolders(folder: string): Promise<void> {
    for (let current = folder; current.length > root.length; current = dirname(current)) {
      try {
        await rmdir(current);
      } catch {
        return; // not empty, or gone already: either way somebody else's matter
      }
    }
  }

  async function* list(prefix: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<BlobStat> {
    assertKeyPrefix(prefix);
    const folder = prefix.slice(0, Math.max(0, prefix.lastIndexOf("/")));
    const mayHold = (relative: string) => `${relative}/`.startsWith(prefix) || prefix.startsWith(`${relative}/`);
    for await (const { relative, name } of walkFiles(root, folder, mayHold)) {
      signal?.throwIfAborted();
      if (name.startsWith(".") || !relative.startsWith(prefix)) continue;
      const found = await statObject(relative);
      if (found) yield found;
    }
  }

  async function copy(from: string, to: string, options: { signal?: AbortSignal; ifMatch?: string } = {}) {
    const target = pathOf(to);
    const { handle, stats } = await openObject(pathOf(from));
    await refuseOther(options.ifMatch, { handle, stats });
    try {
      const written = await writeAtomically(target, handle.createReadStream(), { signal: options.signal, checkSpace });
      return { ...toBlobStat(to, written.stats), sha256: written.sha256 } satisfies CopyResult;
    } catch (error) {
      throw options.signal?.aborted ? options.signal.reason : mapFileError(error);
    }
  }

  async function usage(options: { signal?: AbortSignal } = {}): Promise<StorageUsage> {
    await mkdir(root, { recursive: true });
    let objects = 0;
    let bytes = 0;
    for await (const object of list("", options)) {
      objects += 1;
      bytes += object.bytes;
    }
    const disk = await diskSpace(root);
    return { backend: "local", objects, bytes, diskFreeBytes: disk.freeBytes, diskTotalBytes: disk.totalBytes };
  }

  async function sweepTemporary({ olderThanMs = ABANDONED_AFTER_MS, signal }: SweepOptions = {}): Promise<number> {
    let removed = 0;
    for await (const { relative, name } of walkFiles(root, "")) {
      signal?.throwIfAborted();
      if (!name.startsWith(TEMPORARY_PREFIX)) continue;
      const path = join(root, relative);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (Date.now() - mtimeMs < olderThanMs) continue;
      await unlink(path).then(
        () => removed++,
        () => {},
      );
    }
    return removed;
  }

  return {
    backend: "local",
    maxSignedBytes: Number.POSITIVE_INFINITY,
    put,
    get,
    stat: statObject,
    remove,
    list,
    copy,
    presignPut: async (key) => noAddress(key),
    presignGet: async (key) => noAddress(key),
    usage,
    sweepTemporary,
    close: async () => {},
  };
}

interface SweepOptions {
  readonly signal?: AbortSignal;
  readonly olderThanMs?: number;
}

async function openObject(path: string) {
  try {
    const handle = await open(path, "r");
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile()) return { handle, stats };
    await handle.close();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTDIR") throw mapFileError(error);
  }
  throw new StorageError("not_found", "There is no such object.");
}

/** An object is replaced, never written to: what is open stays what its etag says. */
async function refuseOther(ifMatch: string | undefined, { handle, stats }: Awaited<ReturnType<typeof openObject>>) {
  if (ifMatch === undefined || ifMatch === etagOf(stats)) return;
  await handle.close();
  throw new StorageError("conflict", "The object was changed meanwhile.");
}

function etagOf(stats: BigIntStats): string {
  return [stats.ino, stats.size, stats.mtimeNs].map((part) => part.toString(36)).join("-");
}

function toBlobStat(key: string, stats: BigIntStats): BlobStat {
  return { key, bytes: Number(stats.size), etag: etagOf(stats), modifiedAt: new Date(Number(stats.mtimeMs)) };
}

function noAddress(key: string): null {
  assertObjectKey(key);
  return null;
}
