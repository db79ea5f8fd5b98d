import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { tether } from "./tether.ts";
import { waitFor } from "./wait-for.ts";

export type ProcessExit = { code: number | null; signal: NodeJS.Signals | null };

export type RunningProcess = {
  pid: number;
  /** Everything that it wrote so far, standard output and error in the order of arrival. */
  output(): string;
  /** Standard output alone. */
  stdout(): string;
  /** Resolves with the match once the output holds it; fails with the output where the process ends or time does. */
  waitForOutput(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** Resolves when the process has ended. */
  exit: Promise<ProcessExit>;
  /** Sends a signal to the process alone, as an orchestrator does. */
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, then after `graceMs` SIGKILL to the whole tree; resolves when it has ended. */
  stop(graceMs?: number): Promise<ProcessExit>;
  /** SIGKILL to the process and all that it started (in its process group), at once. */
  kill(): Promise<ProcessExit>;
};

/**
 * Starts `entry` (a .ts or .mjs file) under this Node, in a process group of its own that ends with us. The environment
 * is `env` and what every program needs (PATH, HOME, TMPDIR, Node's cache of compiled modules), nothing else of ours.
 */
export function startProcess(
  entry: string,
  env: Record<string, string | undefined> = {},
  options: { args?: string[]; nodeArgs?: string[]; cwd?: string } = {},
): RunningProcess {
  const { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), entry, ...(options.args ?? [])], {
    cwd: options.cwd,
    env: { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE, ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  tether(child);
  const all: string[] = [];
  const out: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    all.push(text);
    out.push(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => all.push(text));
  const output = () => all.join("");
  let ended = false;
  const exit = new Promise<ProcessExit>((done) => {
    child.once("error", (error) => {
      all.push(error.message);
      ended = true;
      done({ code: null, signal: null });
    });
    // "close" comes after the last output; a grandchild that keeps the pipe must not hold us up, though.
    child.once("exit", (code, signal) => {
      const finish = () => {
        ended = true;
        done({ code, signal });
      };
      child.once("close", finish);
      setTimeout(finish, 500).unref();
    });
  });
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
    return exit;
  };

  return {
    pid: child.pid ?? 0,
    output,
    stdout: () => out.join(""),
    exit,
    kill,
    signal: (name) => void child.kill(name),
    async waitForOutput(pattern, timeoutMs = 15_000) {
      const look = () => output().match(pattern) ?? (ended ? "ended" : null);
      const found = await waitFor(look, { timeoutMs, what: String(pattern) }).catch((error: Error) => {
        throw new Error(`${error.message} in the output:\n${output()}`, { cause: error });
      });
      if (found === "ended") throw new Error(`The process ended before it said ${pattern}:\n${output()}`);
      return found;
    },
    async stop(graceMs = 10_000) {
      child.kill("SIGTERM");
      const late = new AbortController();
      const tooLong = sleep(graceMs, undefined, { signal: late.signal }).then(kill, () => exit);
      const result = await Promise.race([exit, tooLong]);
      late.abort();
      await kill();
      return result;
    },
  };
}
