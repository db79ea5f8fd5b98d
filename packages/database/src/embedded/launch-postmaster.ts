import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Account } from "./choose-account.ts";
import { readPostmasterFile } from "./postmaster-file.ts";

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;

/**
 * Runs Postgres ("$@") beside a reader of our pipe: when that ends, because we closed it or because we are gone, even by
 * kill -9, the server gets the stop signal. What the last step removes is a temporary cluster.
 */
const LAUNCHER = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
( read -r _ <&3; kill -s "$STOP_SIGNAL" "$server" 2>/dev/null ) &
reader=$!
exec 3<&-
wait "$server"
status=$?
kill "$reader" 2>/dev/null
if [ -n "$REMOVE" ]; then rm -rf "$REMOVE" 2>/dev/null; fi
exit "$status"
`;

/** Another Postgres took the cluster, or another program the port, a moment ago: look again. */
export class LostRace extends Error {}

/** Starts the server and waits until it accepts connections. Fails with the end of its log where it does not. */
export async function launchPostmaster(options: {
  binaries: string;
  clusterDir: string;
  account: Account | null;
  port: number;
  fsync: boolean;
  logFile: string;
  /** The cluster is thrown away: end at once without writing anything down, then remove it. */
  temporary: boolean;
}): Promise<{ stop(): Promise<void> }> {
  const log = openSync(options.logFile, "w", 0o600);
  const child = spawn("/bin/sh", ["-c", LAUNCHER, "sh", ...command(options)], {
    ...options.account,
    // Its own session: Ctrl-C in a terminal is for us, and we end the server after its last user.
    detached: true,
    cwd: "/",
    env: {
      PATH: process.env.PATH,
      LC_ALL: "C",
      TZ: "UTC",
      STOP_SIGNAL: options.temporary ? "QUIT" : "INT",
      REMOVE: options.temporary ? options.clusterDir : "",
    },
    stdio: ["pipe", log, log],
  });
  closeSync(log);
  const lifeline = child.stdin as Writable & { unref(): void };
  // Whoever forgets to stop the server can still end: the pipe then closes.
  child.unref();
  lifeline.unref();
  lifeline.on("error", () => {});
  let ended: string | null = null;
  const exited = new Promise<void>((done) => {
    child.on("error", (error) => {
      ended = error.message;
      done();
    });
    child.on("exit", (code, signal) => {
      ended = `ended with ${code ?? signal}`;
      done();
    });
  });

  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= end();
    return stopping;
  };
  async function end(): Promise<void> {
    const { pid } = child;
    child.ref();
    lifeline.destroy();
    if (await within(exited, STOP_LIMIT_MS)) return;
    // It runs in a process group of its own: whatever still lives of it goes now.
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
    await within(exited, 5_000);
  }

  const deadline = Date.now() + START_LIMIT_MS;
  while (readPostmasterFile(options.clusterDir)?.status !== "ready") {
    if (ended !== null || Date.now() > deadline) {
      await stop();
      const said = tail(options.logFile);
      const message = `The embedded Postgres did not start (${ended ?? `not ready after ${START_LIMIT_MS / 1000} s`}):\n${said}`;
      const lostRace = /postmaster\.pid" already exists|Address already in use/.test(said);
      throw lostRace ? new LostRace(message) : new Error(message);
    }
    await sleep(20);
  }
  return { stop };
}

function command(options: { binaries: string; clusterDir: string; port: number; fsync: boolean }): string[] {
  const settings: Record<string, string | number> = {
    listen_addresses: "127.0.0.1",
    port: options.port,
    // No socket file: its path has a length limit that a deep clone breaks.
    unix_socket_directories: "",
    max_connections: 200,
    timezone: "UTC",
    log_timezone: "UTC",
    // Compiling a query costs more than our short queries take.
    jit: "off",
  };
  if (!options.fsync) Object.assign(settings, { fsync: "off", synchronous_commit: "off", full_page_writes: "off" });
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return [join(options.binaries, "bin", "postgres"), "-D", options.clusterDir, ...flags];
}

async function within(promise: Promise<void>, limitMs: number): Promise<boolean> {
  const cutOff = new AbortController();
  const late = sleep(limitMs, false, { signal: cutOff.signal }).catch(() => false);
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    cutOff.abort();
  }
}

function tail(file: string): string {
  return readFileSync(file, "utf8").trim().split("\n").slice(-10).join("\n");
}
