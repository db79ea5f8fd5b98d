import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** The text of a secret file, or null where there is none. */
export function readSecret(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/**
 * The secret at `path`, made with `make` where there is none yet. Readable by its owner alone (0600); of two processes
 * that make it at once, one wins and both get the same.
 */
export function keepSecret(path: string, make: () => string): string {
  const found = readSecret(path);
  if (found !== null) return found;
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  writeFileSync(draft, `${make()}\n`, { mode: 0o600, flag: "wx" });
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, "utf8").trim();
}

/** Replaces the secret at `path`, or makes it, 0600. */
export function replaceSecret(path: string, secret: string): void {
  rmSync(path, { force: true });
  keepSecret(path, () => secret);
}
