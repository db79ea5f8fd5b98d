import { mkdir, mkdtemp, readdir, rm, rmdir, stat, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

/** A worker that did not touch its folder for this long is dead, wherever it ran. */
const DEAD_AFTER_MS = 600_000;

/** Below this a job would only fail here; it waits for a worker with room, or for room. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024;

class DiskFull extends Error {
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
  await touch(own);
  // What time it is, the file system says: by a clock of ours that is ahead, all others would be dead.
  await sweepDeadWorkers(root, workerId, (await stat(own)).mtimeMs);
  return {
    async makeJobFolder(jobId) {
      await mkdir(own, { recursive: true });
      const { bavail, bsize } = await statfs(own);
      if (bavail * bsize < leastFreeBytes) throw new DiskFull();
      return await mkdtemp(join(own, `${jobId}-`));
    },
    removeJobFolder: (path) => rm(path, { recursive: true, force: true, maxRetries: 3 }),
    touch: () => touch(own),
    close: () => rm(own, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** Renews the folder's time by the file system's own clock, which all workers share. Makes it where it is gone. */
async function touch(own: string): Promise<void> {
  await mkdir(own, { recursive: true });
  await rmdir(await mkdtemp(join(own, "alive-")));
}

async function sweepDeadWorkers(root: string, ownId: string, nowMs: number): Promise<void> {
  for (const name of await readdir(root)) {
    if (name !== ownId && (await isDead(join(root, name), name, nowMs))) {
      await rm(join(root, name), { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

async function isDead(path: string, name: string, nowMs: number): Promise<boolean> {
  const [host, pid] = name.split("~");
  // A process of this machine is asked for directly. Our own pid under another name was a container before this one.
  if (host === hostname() && /^\d+$/.test(pid ?? "")) {
    if (Number(pid) === process.pid || !isAlive(Number(pid))) return true;
  }
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: nowMs }));
  return nowMs - mtimeMs > DEAD_AFTER_MS;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
