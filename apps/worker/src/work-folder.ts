import { mkdir, mkdtemp, readdir, rm, stat, statfs, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

/** A worker that did not touch its folder for this long is dead, wherever it ran. */
const DEAD_AFTER_MS = 600_000;

/** Below this a job would only fail here; it waits for a worker with room, or for room. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024;

export class DiskFull extends Error {
  override readonly name = "DiskFull";

  constructor() {
    super("The disk of the worker is full; it takes no jobs.");
  }
}

/** Where one worker keeps what its jobs need on disk: `<data>/tmp/<worker>`, a folder a job below it. */
export interface WorkFolder {
  /** A new, empty folder for one attempt; remove it with `removeJobFolder` in every ending. Throws `DiskFull`. */
  makeJobFolder(jobId: string): Promise<string>;
  removeJobFolder(path: string): Promise<void>;
  /** Shows other workers that this one lives. */
  touch(): Promise<void>;
  /** Removes everything. */
  close(): Promise<void>;
}

/** `<host>~<pid>~<random>`: what a worker's folder and rows are named by. */
export function makeWorkerId(random: string): string {
  return `${hostname()}~${process.pid}~${random}`;
}

/** Makes this worker's folder, and removes those that dead workers left behind. */
export async function openWorkFolder(
  dataDir: string,
  workerId: string,
  { leastFreeBytes = LEAST_FREE_BYTES }: { leastFreeBytes?: number } = {},
): Promise<WorkFolder> {
  const root = join(dataDir, "tmp");
  const own = join(root, workerId);
  await mkdir(own, { recursive: true });
  await sweepDeadWorkers(root, workerId);
  return {
    async makeJobFolder(jobId) {
      const { bavail, bsize } = await statfs(own);
      if (bavail * bsize < leastFreeBytes) throw new DiskFull();
      return await mkdtemp(join(own, `${jobId}-`));
    },
    removeJobFolder: (path) => rm(path, { recursive: true, force: true, maxRetries: 3 }),
    touch: () => utimes(own, new Date(), new Date()),
    close: () => rm(own, { recursive: true, force: true, maxRetries: 3 }),
  };
}

async function sweepDeadWorkers(root: string, ownId: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (name !== ownId && (await isDead(join(root, name), name))) {
      await rm(join(root, name), { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

async function isDead(path: string, name: string): Promise<boolean> {
  const [host, pid] = name.split("~");
  // A process of this machine is asked for directly. Our own pid under another name was a container before this one.
  if (host === hostname() && /^\d+$/.test(pid ?? "")) {
    if (Number(pid) === process.pid || !isAlive(Number(pid))) return true;
  }
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
  return Date.now() - mtimeMs > DEAD_AFTER_MS;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
