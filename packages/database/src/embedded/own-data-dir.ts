import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownIdentity, type ProcessIdentity, stillRuns } from "./process-identity.ts";

/**
 * Makes this process the one that runs the server of `dataDir`, noted in `dataDir/owner`. Returns false where a live
 * process (this one too) runs it already: then the server is that one's, and ours to use only.
 */
export function ownDataDir(dataDir: string): boolean {
  const file = join(dataDir, "owner");
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(ownIdentity()));
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const owner = readOwner(dataDir);
    if (owner && stillRuns(owner)) return false;
    // The owner is gone. Should two processes take its place at once, the lock of Postgres itself lets one through.
    renameSync(mine, file);
    return readOwner(dataDir)?.pid === process.pid;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Gives the place up, where it is ours. */
export function disownDataDir(dataDir: string): void {
  if (readOwner(dataDir)?.pid === process.pid) rmSync(join(dataDir, "owner"), { force: true });
}

/** Whether a live process runs the server of `dataDir`. */
export function hasOwner(dataDir: string): boolean {
  const owner = readOwner(dataDir);
  return owner !== null && stillRuns(owner);
}

function readOwner(dataDir: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(join(dataDir, "owner"), "utf8")) as ProcessIdentity;
  } catch {
    return null;
  }
}
