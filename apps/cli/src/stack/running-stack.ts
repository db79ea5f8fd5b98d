import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface RunningStack {
  pid: number;
  url: string;
}

/** Leaves word under the data folder that a stack runs there; returns what takes it back. */
export function announceStack(dataDir: string, url: string): () => void {
  const path = join(dataDir, "running.json");
  writeFileSync(path, `${JSON.stringify({ pid: process.pid, url } satisfies RunningStack)}\n`);
  return () => rmSync(path, { force: true });
}

/** The stack that runs on `dataDir`, or null; word of one that was killed does not count. */
export function runningStack(dataDir: string): RunningStack | null {
  try {
    const stack = JSON.parse(readFileSync(join(dataDir, "running.json"), "utf8")) as RunningStack;
    process.kill(stack.pid, 0);
    return stack;
  } catch {
    return null;
  }
}
