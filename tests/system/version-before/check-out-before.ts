import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../../..");
const PARTS = ["apps", "packages", "prisma", "prisma.config.ts", "package.json", "tsconfig.base.json"];

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
}

export interface CheckOut {
  folder: string;
  remove(): void;
}

/**
 * The sources of a commit in a folder of their own, ready to run: with the packages of others as they are installed for this
 * version, and a database client generated from that commit's schema. The clone itself is left as it is.
 */
export function checkOut(commit: string): CheckOut {
  const folder = mkdtempSync(join(tmpdir(), "scribe-before-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const archive = execFileSync("git", ["-C", ROOT, "archive", commit, ...PARTS], { maxBuffer: 2 ** 30 });
    execFileSync("tar", ["-x", "-C", folder], { input: archive });
    linkPackages(folder);
    symlinkSync(join(ROOT, "models"), join(folder, "models"));
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    generateClient(folder);
    return { folder, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function generateClient(folder: string): void {
  const prisma = join(ROOT, "node_modules/prisma");
  execFileSync(process.execPath, [join(prisma, "build/index.js"), "generate", "--schema", "prisma/schema.prisma"], {
    cwd: folder,
    // Any file that exists keeps Prisma from downloading an engine, which generating does not use.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: join(prisma, "package.json"), CHECKPOINT_DISABLE: "1" },
    stdio: "pipe",
  });
}

/** Gives each package its `node_modules`: packages of ours lead to their sources of then, all others to what is installed now. */
function linkPackages(folder: string): void {
  const packages = ["apps", "packages", "packages/engines"]
    .flatMap((room) => readdirSync(join(folder, room)).map((name) => join(room, name)))
    .filter((place) => existsSync(join(folder, place, "package.json")));
  const manifests = new Map(
    packages.map((place): [string, Manifest] => [
      place,
      JSON.parse(readFileSync(join(folder, place, "package.json"), "utf8")) as Manifest,
    ]),
  );
  const ours = new Map([...manifests].map(([place, { name }]) => [name, join(folder, place)]));
  for (const [place, { dependencies = {} }] of manifests) {
    for (const name of Object.keys(dependencies)) {
      const target = ours.get(name) ?? installed(name, place);
      // A dependency that is no longer there fails where it is imported, which says more than this could.
      if (target === null) continue;
      const link = join(folder, place, "node_modules", name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(target, link);
    }
  }
}

/** Where a dependency of a package lies now: its own, else any that is installed. */
function installed(name: string, place: string): string | null {
  const places = [join(ROOT, place, "node_modules", name), join(ROOT, "node_modules/.pnpm/node_modules", name)];
  const found = places.find((path) => existsSync(path));
  return found === undefined ? null : realpathSync(found);
}
