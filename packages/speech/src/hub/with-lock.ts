import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { pause } from "./pause.ts";

const BEAT_MS = 2_000;
/** An owner on another machine that does not beat for so long is gone. */
const DEAD_AFTER_MS = 30_000;
const LOOK_EVERY_MS = 200;

/**
 * Runs `work` while no other process runs one under the same file. The owner's process is looked for on this machine, its
 * beat from any other; what a dead one left is taken over. `onWait` is called once where there is somebody to wait for.
 *
 * Two that take over the same dead owner's lock at once may, in a window of a few instructions, both run: what the lock
 * guards must survive that.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  { signal, onWait }: { signal?: AbortSignal | undefined; onWait?: (() => void) | undefined } = {},
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const mark = JSON.stringify({ host: hostname(), pid: process.pid, id: randomUUID() });
  for (let waited = false; !(await take(path, mark)); waited = true) {
    signal?.throwIfAborted();
    if (await isLeftBehind(path)) {
      await rename(path, `${path}.${randomUUID()}.dead`).catch(() => {});
      continue;
    }
    if (!waited) onWait?.();
    await pause(LOOK_EVERY_MS, signal);
  }
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), BEAT_MS).unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if ((await readFile(path, "utf8").catch(() => null)) === mark) await rm(path, { force: true });
  }
}

async function take(path: string, mark: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(mark);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isLeftBehind(path: string): Promise<boolean> {
  const [text, entry] = await Promise.all([readFile(path, "utf8").catch(() => ""), stat(path).catch(() => null)]);
  if (entry === null) return false;
  if (Date.now() - entry.mtimeMs > DEAD_AFTER_MS) return true;
  try {
    const { host, pid } = JSON.parse(text) as { host: string; pid: number };
    return host === hostname() && !isAlive(pid);
  } catch {
    // Being written just now.
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
