import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { makePlaceUnderVarLib, placeUnderVarLib } from "./place-under-var-lib.ts";

const OWNER = ".owner";

/** The file beside a cluster outside that names the folder it belongs to. */
export const ownerNote = (clusterDir: string) => `${clusterDir}${OWNER}`;

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
  removeForsaken(makePlaceUnderVarLib());
  writeFileSync(ownerNote(outside), `${real}\n`);
  writeFileSync(note, `${outside}\n`);
  return outside;
}

/** A temporary folder that is gone will not come back: its cluster goes too. Any other may be on a disk that will. */
function removeForsaken(place: string): void {
  const temporary = `${realpathSync(tmpdir())}${sep}`;
  for (const name of readdirSync(place)) {
    if (!name.endsWith(OWNER)) continue;
    const file = join(place, name);
    const owner = readNote(file);
    if (!owner?.startsWith(temporary) || existsSync(owner)) continue;
    rmSync(file.slice(0, -OWNER.length), { recursive: true, force: true });
    rmSync(file, { force: true });
  }
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
