import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdtemp, readdir, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { JobError } from "@scribe/domain";
import type { FfmpegPrograms } from "./find-ffmpeg.ts";

export interface CageOptions {
  readonly programs: FfmpegPrograms;
  readonly signal?: AbortSignal;
  /** Wall clock of one program; then it is killed, with `timeout`. */
  readonly timeoutMs?: number;
  /** Address space of one program, where `prlimit` can bound it. Default 1 GiB. */
  readonly memoryBytes?: number;
  /** Where the empty working folders are made. Default: the system's temporary folder. */
  readonly temporaryFolder?: string;
}

export interface CagedRun {
  readonly exitCode: number | null;
  /** The signal that ended it, other than ours. */
  readonly killedBy: NodeJS.Signals | null;
  /** The last 16 KiB. */
  readonly stderr: string;
}

const DEFAULT_TIMEOUT_MS = 600_000;
const DEFAULT_MEMORY_BYTES = 1024 ** 3;
const STDERR_BYTES = 16 * 1024;
const FOLDER_PREFIX = "scribe-cage-";

/**
 * How a caged program names its input. ffmpeg lets a name decide what a file is (`.m3u8`, `%03d.jpg`, `http:`, `-i`), so it
 * never sees the real one.
 */
export const CAGED_INPUT = "file:input";

type Caged = ChildProcessByStdio<null, Readable, Readable>;

/**
 * Runs ffmpeg or ffprobe on a stranger's file, which `args` name `CAGED_INPUT`: no environment, no standard input, an empty folder of its own, a process
 * group of its own, bounded memory and time, no file that it could write; it dies with us. `onOutput` gets standard
 * output piece by piece, and the program waits for it; what it throws kills the program and is thrown. When this
 * returns or throws, process and folder are gone.
 */
export async function runCaged(
  program: "ffmpeg" | "ffprobe",
  path: string,
  args: readonly string[],
  options: CageOptions,
  onOutput: (chunk: Buffer) => void | Promise<void>,
): Promise<CagedRun> {
  const { signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  signal?.throwIfAborted();
  const folder = await mkdtemp(join(options.temporaryFolder ?? tmpdir(), FOLDER_PREFIX));
  let stopped: { reason: unknown } | undefined;
  let child: Caged | undefined;
  const stop = (reason: unknown) => {
    stopped ??= { reason };
    if (child) killGroup(child);
  };
  const onAbort = () => stop(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => stop(tookTooLong(timeoutMs)), timeoutMs);
  try {
    await symlink(resolve(path), join(folder, "input"));
    signal?.throwIfAborted();
    child = spawnCaged(program, args, options, folder);
    const ended = endOf(child);
    const stderr = keepTail(child.stderr);
    try {
      for await (const chunk of child.stdout) await onOutput(chunk as Buffer);
    } catch (error) {
      stop(error);
    }
    const { exitCode, killedBy } = await ended;
    if (stopped) throw stopped.reason;
    // The limit on processor time ends it with one of these.
    if (killedBy === "SIGXCPU") throw tookTooLong(timeoutMs);
    return { exitCode, killedBy, stderr: stderr() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    if (child) killGroup(child);
    await rm(folder, { recursive: true, force: true });
  }
}

function spawnCaged(program: "ffmpeg" | "ffprobe", args: readonly string[], options: CageOptions, cwd: string): Caged {
  const { programs, timeoutMs = DEFAULT_TIMEOUT_MS, memoryBytes = DEFAULT_MEMORY_BYTES } = options;
  const command = [programs[program], ...args];
  if (programs.prlimit) {
    const cpuSeconds = Math.ceil(timeoutMs / 1000) + 5;
    // fsize 0: what it makes goes through standard output, and to no file.
    const limits = [`--as=${memoryBytes}`, "--fsize=0", "--nofile=64", "--core=0", `--cpu=${cpuSeconds}`];
    command.unshift(programs.prlimit, ...limits, "--");
  }
  if (programs.setpriv) command.unshift(programs.setpriv, "--no-new-privs", "--pdeathsig", "KILL", "--");
  const [file, ...rest] = command;
  const child = spawn(file!, rest, { cwd, env: {}, stdio: ["ignore", "pipe", "pipe"], detached: true });
  if (child.pid !== undefined) remember(child.pid);
  return child;
}

function endOf(child: Caged): Promise<{ exitCode: number | null; killedBy: NodeJS.Signals | null }> {
  const ended = new Promise<{ exitCode: number | null; killedBy: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", (cause) => reject(new JobError("internal", "The decoder could not be started.", { cause })));
    child.once("close", (exitCode, killedBy) => resolve({ exitCode, killedBy }));
  });
  const forget = () => child.pid !== undefined && living.delete(child.pid);
  ended.then(forget, forget);
  return ended;
}

function keepTail(stream: Readable): () => string {
  let tail = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-STDERR_BYTES);
  });
  return () => tail.toString("utf8");
}

function tookTooLong(timeoutMs: number): JobError {
  return new JobError(
    "timeout",
    `Reading the audio took longer than ${Math.round(timeoutMs / 1000)} s and was stopped.`,
  );
}

/** Where the system has no death signal, those that still live are killed when this process exits by itself. */
const living = new Set<number>();
let watchingExit = false;

function remember(pid: number): void {
  living.add(pid);
  if (watchingExit) return;
  watchingExit = true;
  process.on("exit", () => {
    for (const leader of living) kill(leader);
  });
}

function killGroup(child: Caged): void {
  if (child.pid !== undefined && living.has(child.pid)) kill(child.pid);
}

function kill(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // It ended between the look and the kill.
  }
}

/** Removes working folders that a killed process left behind; returns how many. */
export async function sweepCages(options: { temporaryFolder?: string; olderThanMs?: number } = {}): Promise<number> {
  const { temporaryFolder = tmpdir(), olderThanMs = 86_400_000 } = options;
  let removed = 0;
  for (const name of await readdir(temporaryFolder)) {
    if (!name.startsWith(FOLDER_PREFIX)) continue;
    const path = join(temporaryFolder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs < olderThanMs) continue;
    await rm(path, { recursive: true, force: true });
    removed += 1;
  }
  return removed;
}
