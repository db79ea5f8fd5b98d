import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makePlaceUnderVarLib, placeUnderVarLib } from "./place-under-var-lib.ts";

/**
 * Where the cluster of `dataDir` lies: `dataDir/cluster`, or, where the folders above it are closed to the account
 * that Postgres drops to as root, a folder below /var/lib, noted in `dataDir/cluster-place`. Makes `dataDir`.
 */
export function placeCluster(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true });
  const real = realpathSync(dataDir);
  const inside = join(real, "cluster");
  if (process.getuid?.() !== 0) return inside;
  const name = createHash("sha256").update(real).digest("hex").slice(0, 16);
  const outside = join(placeUnderVarLib(), `data-${name}`);
  const note = join(real, "cluster-place");
  // A note of another place came along when the folder was copied: that cluster is not ours.
  if (readNote(note) === outside) return outside;
  if (isOpenToOthers(real)) return inside;
  makePlaceUnderVarLib();
  writeFileSync(note, `${outside}\n`);
  return outside;
}

function readNote(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}

/** Tried as a user without any rights, since modes and ACLs of every folder above count. */
function isOpenToOthers(folder: string): boolean {
  const probe = spawnSync("/bin/sh", ["-c", 'cd "$0"', folder], { uid: 65534, gid: 65534, cwd: "/", timeout: 10_000 });
  return probe.status === 0;
}
