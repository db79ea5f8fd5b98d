import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(import.meta.dirname, "..");

/** The last code on the migrations up to `20261122000001_limits`: what stands for a release while none is tagged. */
const FIRST_VERSION = "bd2dff059dc5911cf70ae3663bbf64c4edce3416";

/**
 * The commit of the version before this one: the newest tagged release (`v1.2.3`) below this commit, else the first version.
 * Null where this is no clone, or one without that history.
 */
export function versionBefore() {
  const tag = git("describe", "--tags", "--match", "v[0-9]*", "--abbrev=0", "HEAD^");
  return git("rev-parse", "--verify", "--quiet", `${tag ?? FIRST_VERSION}^{commit}`);
}

function git(...args) {
  const { status, stdout } = spawnSync("git", ["-C", root, ...args], { encoding: "utf8", timeout: 10_000 });
  return status === 0 ? stdout.trim() : null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(versionBefore() ?? "");
