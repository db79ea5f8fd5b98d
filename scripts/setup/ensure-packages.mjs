import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { chooseNode, pnpmScript } from "./choose-node.mjs";
import { root } from "./places.mjs";
import { runQuietly } from "./run-program.mjs";
import { say } from "./say.mjs";
import { hashFiles, readStamp, writeStamp } from "./stamps.mjs";

const STEP = "packages";

/** Without a network pnpm goes on trying for minutes; this says so after seconds. */
const IMPATIENT = {
  PNPM_CONFIG_FETCH_RETRIES: "2",
  PNPM_CONFIG_FETCH_RETRY_MINTIMEOUT: "1000",
  PNPM_CONFIG_FETCH_RETRY_MAXTIMEOUT: "5000",
};

/** Installs what the lock file names, where it or a package.json changed. Resolves with whether it did. */
export async function ensurePackages() {
  const wanted = fingerprint();
  if (isReady(wanted)) return false;
  say("Installing packages");
  // What npm left behind would make pnpm believe in folders that are no longer there.
  if (wasPruned()) rmSync(join(root, "node_modules"), { recursive: true, force: true });
  await runQuietly(chooseNode(), [pnpmScript(), "install", "--frozen-lockfile", "--reporter=append-only"], IMPATIENT);
  writeStamp(STEP, wanted);
  return true;
}

ensurePackages.isReady = () => isReady(fingerprint());

function isReady(wanted) {
  if (readStamp(STEP) !== wanted || wasPruned()) return false;
  return workspaces().every((folder) => !hasDependencies(folder) || existsSync(join(folder, "node_modules")));
}

/** pnpm's own notes are gone, or npm has written its own: a plain `npm install` throws out what it does not know. */
function wasPruned() {
  const modules = join(root, "node_modules");
  return !existsSync(join(modules, ".modules.yaml")) || existsSync(join(modules, ".package-lock.json"));
}

function fingerprint() {
  const manifests = workspaces().map((folder) => join(folder, "package.json"));
  const settings = ["pnpm-lock.yaml", "pnpm-workspace.yaml", ".pnpmfile.cjs"].map((name) => join(root, name));
  const files = [...settings.filter((file) => existsSync(file)), ...manifests];
  return hashFiles(files, `${process.platform}-${process.arch}`);
}

/** The root and the folders that pnpm-workspace.yaml lists (its patterns are `a` and `a/*` only). */
function workspaces() {
  const list = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8").match(/^packages:\n((?: +- .*\n)+)/)?.[1] ?? "";
  const folders = [root];
  for (const [, pattern] of list.matchAll(/- *"?([^"\n]+)"?/g)) {
    const base = join(root, pattern.replace(/\/\*$/, ""));
    const names = pattern.endsWith("/*") && existsSync(base) ? readdirSync(base).sort() : [""];
    folders.push(...names.map((name) => join(base, name)).filter((folder) => existsSync(join(folder, "package.json"))));
  }
  return folders;
}

function hasDependencies(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).length > 0;
}
