import { lstatSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Of a package that lies in node_modules: what an image keeps of it, where that is less than all. */
interface Rule {
  /** Files below these paths go, unless `keep` takes them in. */
  drop: RegExp;
  keep?: RegExp;
}

export interface SlimOptions {
  /** The system that the image is for, as Node names it. */
  platform: string;
  arch: string;
  /** Without migrations, Prisma's schema engine goes too. */
  migrations: boolean;
}

/** Nobody reads these in an image; licences stay. A folder only right below its package: deeper, it may be code. */
const NEVER_READ = [
  /\.map$/,
  /\.d\.[cm]?ts$/,
  /\.tsbuildinfo$/,
  /(^|\/)(?!licen[cs]e|notice|copying)[^/]*\.(md|markdown)$/i,
  /^(test|tests|__tests__|docs|example|examples|bench|benchmark|benchmarks|\.github)\//,
];

function rules({ platform, arch, migrations }: SlimOptions): Record<string, Rule> {
  return {
    // Types only.
    "@types/*": { drop: /./ },
    // One client for Node with one compiler for Postgres, of the twenty that are there.
    "@prisma/client": {
      drop: /^(runtime\/|scripts\/|edge|index-browser)/,
      keep: /^runtime\/(client\.m?js|query_compiler_fast_bg\.postgresql\.(mjs|wasm-base64\.mjs))$/,
    },
    // Its scripts are linked in, and read when imported; the engine itself, when it runs.
    "@prisma/schema-engine-wasm": migrations ? { drop: /^$/ } : { drop: /\.wasm$/ },
    // Browsers get the one bundle.
    redoc: { drop: /./, keep: /^(package\.json|LICENSE|bundles\/redoc\.standalone\.js)$/ },
    "onnxruntime-node": { drop: /^bin\/napi-v\d+\//, keep: new RegExp(`^bin/napi-v\\d+/${platform}/${arch}/`) },
    // What packages carry for browsers, bundlers and readers.
    zod: { drop: /^src\// },
    luxon: { drop: /^(src|build\/(amd|global|cjs-browser))\// },
    protobufjs: { drop: /^(cli|dist|tests)\// },
    "web-streams-polyfill": { drop: /^dist\//, keep: /^dist\/ponyfill\.es2018\.m?js$/ },
  };
}

/** Whether an image needs `path` of the package `name`. */
export function isNeeded(name: string, path: string, options: SlimOptions): boolean {
  if (NEVER_READ.some((pattern) => pattern.test(path))) return false;
  const all = rules(options);
  const rule = all[name] ?? all[`${name.split("/")[0]}/*`];
  if (rule === undefined) return true;
  return !rule.drop.test(path) || (rule.keep?.test(path) ?? false);
}

/**
 * Removes from pnpm's `node_modules` what no process of ours reads, and the folders that are empty then.
 *
 * @returns how many bytes went
 */
export function slim(nodeModules: string, options: SlimOptions): number {
  let bytes = 0;
  const store = join(nodeModules, ".pnpm");
  for (const entry of readdirSync(store)) {
    for (const { name, folder } of packagesIn(join(store, entry, "node_modules"))) {
      bytes += prune(folder, "", (path) => isNeeded(name, path, options));
    }
  }
  return bytes;
}

/** The real packages of one of pnpm's entries; what is linked belongs to another entry. */
function packagesIn(folder: string): { name: string; folder: string }[] {
  const real = (at: string) =>
    readdirSync(at, { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== ".bin");
  try {
    return real(folder).flatMap(({ name }) =>
      name.startsWith("@")
        ? real(join(folder, name)).map((inner) => ({
            name: `${name}/${inner.name}`,
            folder: join(folder, name, inner.name),
          }))
        : [{ name, folder: join(folder, name) }],
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ENOTDIR")
      return [];
    throw error;
  }
}

function prune(root: string, below: string, needed: (path: string) => boolean): number {
  let bytes = 0;
  for (const entry of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      bytes += prune(root, path, needed);
      if (readdirSync(join(root, path)).length === 0) rmdirSync(join(root, path));
    } else if (!needed(path)) {
      bytes += lstatSync(join(root, path)).size;
      rmSync(join(root, path));
    }
  }
  return bytes;
}

if (import.meta.main) {
  const [nodeModules = "node_modules", ...flags] = process.argv.slice(2);
  const migrations = flags.includes("--migrations");
  const bytes = slim(nodeModules, { platform: process.platform, arch: process.arch, migrations });
  process.stdout.write(`${(bytes / 1e6).toFixed(1)} MB went that no process reads.\n`);
}
