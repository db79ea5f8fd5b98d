import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";

/**
 * Reads our pipe. A line means that the process ended by itself; an end without one, that we were killed: then its whole
 * process group is.
 */
const WATCHDOG = 'read -r _ || kill -KILL "-$1" 2>/dev/null';

/**
 * Ties `child`, which leads a process group of its own (`detached: true`), to the life of this process: where we end
 * without stopping it, even by kill -9, the group is killed.
 */
export function tether(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const watchdog = spawn("/bin/sh", ["-c", WATCHDOG, "sh", String(child.pid)], {
    detached: true,
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  const lifeline = watchdog.stdin as Writable & { unref(): void };
  lifeline.on("error", () => {});
  lifeline.unref();
  watchdog.on("error", () => {});
  watchdog.unref();
  child.once("exit", () => lifeline.end("ended\n"));
}
