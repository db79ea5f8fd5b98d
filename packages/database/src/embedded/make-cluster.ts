import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Account } from "./choose-account.ts";

const INITDB_LIMIT_MS = 120_000;

/** The role that owns the embedded cluster, and its first database. */
export const ROLE = "scribe";

/**
 * The password of the cluster at `clusterDir`, which is made first where there is none. The password is random and
 * lies in `dataDir/password`, for us alone. The cluster is made under another name and renamed, so that one that was
 * cut off is never taken for a whole one; of two processes that make it at once, one wins and both use that.
 */
export async function makeCluster(options: {
  dataDir: string;
  clusterDir: string;
  binaries: string;
  account: Account | null;
  fsync: boolean;
}): Promise<string> {
  const { dataDir, clusterDir } = options;
  const passwordFile = join(dataDir, "password");
  if (existsSync(join(clusterDir, "PG_VERSION"))) {
    return readFileSync(passwordFile, "utf8").trim();
  }
  const password = ensurePassword(passwordFile);
  const unfinished = `${clusterDir}.${process.pid}`;
  // Postgres' account must read the password once, and may not enter our folder: a file of its own beside the cluster.
  const handedOver = `${unfinished}.password`;
  try {
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { mode: 0o700 });
    writeFileSync(handedOver, password, { mode: 0o600 });
    if (options.account) {
      for (const path of [unfinished, handedOver]) chownSync(path, options.account.uid, options.account.gid);
    }
    await runInitdb(options, unfinished, handedOver);
    renameSync(unfinished, clusterDir);
  } catch (error) {
    if (!existsSync(join(clusterDir, "PG_VERSION"))) throw error;
  } finally {
    rmSync(handedOver, { force: true });
    rmSync(unfinished, { recursive: true, force: true });
  }
  return password;
}

/** Of two processes that write it at once, the first one's stands. */
function ensurePassword(file: string): string {
  try {
    writeFileSync(file, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const password = readFileSync(file, "utf8").trim();
  if (password === "") throw new Error(`${file} is empty: remove it.`);
  return password;
}

function runInitdb(
  options: { binaries: string; account: Account | null; fsync: boolean },
  target: string,
  passwordFile: string,
): Promise<void> {
  const args = [
    `--pgdata=${target}`,
    `--username=${ROLE}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // The same order of text on every machine, whatever locales it has.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
  ];
  if (!options.fsync) args.push("--no-sync");
  const child = spawn(join(options.binaries, "bin", "initdb"), args, {
    ...options.account,
    cwd: "/",
    env: { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: INITDB_LIMIT_MS,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
    });
  }
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code, signal) => {
      if (code === 0) done();
      else failed(new Error(`initdb ended with ${code ?? signal}: ${said.trim()}`));
    });
  });
}
