// Loaded with --import before an app: the disk below CHAOS_DISK_ROOT misbehaves at CHAOS_DISK_FAULTS of all openings.
// Each fault is told on standard error, so that they can be counted.
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const root = process.env.CHAOS_DISK_ROOT;
const share = Number(process.env.CHAOS_DISK_FAULTS ?? 0);
const HANG_MS = 3_000;

type Fault = "error" | "full" | "hang" | "truncate";
const FAULTS: readonly Fault[] = ["error", "full", "hang", "truncate"];

function fail(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: injected, ${what}`), { code, errno: -1, syscall: what });
}

function choose(): Fault | null {
  if (Math.random() >= share) return null;
  const fault = FAULTS[Math.floor(Math.random() * FAULTS.length)]!;
  process.stderr.write(`chaos: disk ${fault}\n`);
  return fault;
}

if (root !== undefined && share > 0) {
  const open = fs.open;
  const patched: typeof fs.open = async (path, flags, mode) => {
    const handle = await open(path, flags, mode);
    if (!String(path).startsWith(root)) return handle;
    const fault = choose();
    if (fault === null) return handle;
    const writes = typeof flags === "string" && /[wa+]/.test(flags);
    if (fault === "error") {
      await handle.close();
      throw fail("EIO", "open");
    }
    if (fault === "hang") {
      await sleep(HANG_MS);
      return handle;
    }
    if (writes) {
      // After some bytes, as a disk that fills up.
      const full = async () => {
        throw fail("ENOSPC", "write");
      };
      return Object.assign(handle, { write: full, writev: full, writeFile: full, appendFile: full });
    }
    const read = handle.createReadStream.bind(handle);
    return Object.assign(handle, {
      createReadStream: (options?: Parameters<typeof read>[0]) =>
        Readable.from(firstHalf(read(options))) as unknown as ReturnType<typeof read>,
    });
  };
  fs.open = patched;
  syncBuiltinESMExports();
}

/** Ends early without an error, as a file that another truncated. */
async function* firstHalf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    yield chunk.subarray(0, chunk.length >> 1);
    return;
  }
}
