import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

/** Names, to a child, the process that it must not outlive. */
export const TETHER = "END_WITH_PROCESS";
const TETHER_MODULE = join(import.meta.dirname, "end-with-parent.ts");

/**
 * Starts `entry` under this Node in a process group of its own (a Ctrl-C in the terminal reaches it through us alone).
 * It is stopped when this process ends, however that ends. `output` is the file descriptor for all that it writes.
 */
export function spawnTethered(entry: string, env: NodeJS.ProcessEnv, output: number): ChildProcess {
  return spawn(process.execPath, ["--import", TETHER_MODULE, entry], {
    env: { ...env, [TETHER]: String(process.pid) },
    detached: true,
    stdio: ["ignore", output, output, "ipc"],
  });
}

/** SIGKILL to the child and to all in its process group. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}
