import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive } from "./process-identity.ts";

/** What a running Postgres says of itself in its cluster. */
export type Postmaster = { pid: number; port: number; status: string };

/** What `clusterDir/postmaster.pid` says (lines: pid, folder, start, port, socket, address, shared memory, status), or null. */
export function readPostmasterFile(clusterDir: string): Postmaster | null {
  let lines: string[];
  try {
    lines = readFileSync(join(clusterDir, "postmaster.pid"), "utf8").split("\n");
  } catch {
    return null;
  }
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return { pid, port: Number(lines[3] ?? 0), status: (lines[7] ?? "starting").trim() };
}

/**
 * The postmaster that runs on `clusterDir`, or null. After a hard stop (kill -9, power) the file stays behind; when its
 * process id has since gone to another program, Postgres would refuse to start, so such a file is removed.
 */
export function runningPostmaster(clusterDir: string): Postmaster | null {
  const postmaster = readPostmasterFile(clusterDir);
  if (!postmaster) return null;
  if (isAlive(postmaster.pid) && isPostgres(postmaster.pid)) return postmaster;
  rmSync(join(clusterDir, "postmaster.pid"), { force: true });
  return null;
}

/** Where it cannot be told (no /proc), a live process counts as Postgres: refusing to start is safe, two servers are not. */
function isPostgres(pid: number): boolean {
  try {
    return /postgres/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0] ?? "");
  } catch {
    return process.platform !== "linux";
  }
}
