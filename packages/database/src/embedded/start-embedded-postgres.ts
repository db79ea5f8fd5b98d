import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chooseAccount } from "./choose-account.ts";
import { ensureDatabase } from "./ensure-database.ts";
import { findBinaries } from "./find-binaries.ts";
import { LostRace, launchPostmaster } from "./launch-postmaster.ts";
import { makeCluster, ROLE } from "./make-cluster.ts";
import { disownDataDir, hasOwner, ownDataDir } from "./own-data-dir.ts";
import { ownerNote, placeCluster } from "./place-cluster.ts";
import { runningPostmaster } from "./postmaster-file.ts";

const ATTEMPTS_LIMIT_MS = 120_000;
const ORPHAN_PATIENCE_MS = 10_000;

export type EmbeddedPostgresOptions = {
  /** Holds the cluster, its password, port and log. Made where it is not there. */
  dataDir: string;
  /** Default: the last one where that is free, else a free one. */
  port?: number;
  /** Called with one line for what takes time. */
  log?: (line: string) => void;
  /** Default true. False loses data when the machine stops: for tests. */
  fsync?: boolean;
  /** The data is removed at the end, also where this process is killed. For tests. */
  temporary?: boolean;
};

export type EmbeddedPostgres = {
  /** Names the database `scribe` as its owner; 127.0.0.1 only, random password. */
  url: string;
  /** False where another process runs the server: `stop` then does nothing, and the server ends with that process. */
  owned: boolean;
  stop(): Promise<void>;
};

/**
 * Starts the Postgres that comes with the npm packages, or attaches to the one that a live process runs on `dataDir`.
 * The server ends with this process, however that ends. Throws an error that says what to do where it cannot run.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  const deadline = Date.now() + ATTEMPTS_LIMIT_MS;
  try {
    mkdirSync(dataDir, { recursive: true });
    for (;;) {
      const server = ownDataDir(dataDir) ? await startOwn(dataDir, options) : await attach(dataDir, options);
      if (server) return server;
      if (Date.now() > deadline)
        throw new Error(`The Postgres that another process runs on ${dataDir} does not answer.`);
      await sleep(50);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    throw new Error(`${dataDir} belongs to another user: ${(error as Error).message}`, { cause: error });
  }
}

/** Null where another server took the cluster, or another program the port, meanwhile. */
async function startOwn(dataDir: string, options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres | null> {
  const { fsync = true, temporary = false, log = () => {} } = options;
  try {
    const clusterDir = placeCluster(dataDir);
    const account = chooseAccount(clusterDir);
    const binaries = findBinaries(account);
    await endOrphan(clusterDir);
    if (!existsSync(clusterDir)) log(`Making a database in ${clusterDir}`);
    const password = await makeCluster({ dataDir, clusterDir, binaries, account, fsync });
    const port = await choosePort(dataDir, options.port);
    const logFile = join(dataDir, "postgres.log");
    const server = await launchPostmaster({ binaries, clusterDir, account, port, fsync, logFile, temporary });
    try {
      await ensureDatabase(urlOf(password, port, "postgres"), ROLE);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return {
      url: urlOf(password, port),
      owned: true,
      async stop() {
        await server.stop();
        disownDataDir(dataDir);
        if (!temporary) return;
        for (const path of [clusterDir, ownerNote(clusterDir), dataDir]) rmSync(path, { recursive: true, force: true });
      },
    };
  } catch (error) {
    disownDataDir(dataDir);
    if (error instanceof LostRace) return null;
    throw error;
  }
}

/** Null while the server of the other process is not ready, or is just ending. */
async function attach(dataDir: string, options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres | null> {
  const postmaster = runningPostmaster(placeCluster(dataDir));
  if (postmaster?.status !== "ready") return null;
  const password = readFileSync(join(dataDir, "password"), "utf8").trim();
  try {
    await ensureDatabase(urlOf(password, postmaster.port, "postgres"), ROLE);
  } catch (error) {
    if (isEnding(error)) return null;
    throw error;
  }
  if (!hasOwner(dataDir)) return null;
  options.log?.(`Using the Postgres that another process runs on ${dataDir}`);
  return { url: urlOf(password, postmaster.port), owned: false, stop: async () => {} };
}

/** Refused, cut off, or told that it shuts down: what callers of a server see whose process has just been killed. */
function isEnding(error: unknown): boolean {
  const { code = "", message } = error as { code?: string; message: string };
  return ["ECONNREFUSED", "ECONNRESET", "EPIPE", "57P01", "57P03"].includes(code) || /terminated/.test(message);
}

/** The server of an owner that was killed is on its way out; it is waited for, and helped. */
async function endOrphan(clusterDir: string): Promise<void> {
  const start = Date.now();
  for (let helped = false; ; await sleep(20)) {
    const orphan = runningPostmaster(clusterDir);
    if (!orphan) return;
    const waitedMs = Date.now() - start;
    if (waitedMs > 2 * ORPHAN_PATIENCE_MS)
      throw new Error(`An old Postgres (process ${orphan.pid}) does not end: stop it.`);
    if (!helped && waitedMs > ORPHAN_PATIENCE_MS / 10) {
      process.kill(orphan.pid, "SIGINT");
      helped = true;
    } else if (waitedMs > ORPHAN_PATIENCE_MS) process.kill(orphan.pid, "SIGQUIT");
  }
}

/** Ports stay the same over restarts where they can, so that an address that somebody noted goes on working. */
async function choosePort(dataDir: string, wanted: number | undefined): Promise<number> {
  const file = join(dataDir, "port");
  if (wanted !== undefined && (await tryPort(wanted)) === null) {
    throw new Error(`Port ${wanted} on 127.0.0.1 is taken: the embedded Postgres cannot use it.`);
  }
  const last = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  const port = wanted ?? (last > 0 ? await tryPort(last) : null) ?? (await tryPort(0));
  if (port === null) throw new Error("No free port on 127.0.0.1.");
  writeFileSync(file, `${port}\n`);
  return port;
}

/** The port where it is free (0: any that is), else null. */
function tryPort(port: number): Promise<number | null> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => done(null));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : null));
    });
  });
}

function urlOf(password: string, port: number, database = ROLE): string {
  return `postgresql://${ROLE}:${password}@127.0.0.1:${port}/${database}`;
}
