import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { state } from "./places.mjs";

/** For each finished step of set-up, the hash of what it was done from: the same hash, nothing to do. */
export function readStamp(step) {
  return readAll()[step];
}

export function writeStamp(step, value) {
  mkdirSync(state, { recursive: true });
  const file = join(state, "setup.json");
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, `${JSON.stringify({ ...readAll(), [step]: value }, null, 2)}\n`);
  renameSync(unfinished, file);
}

/** The hash of these files' names and contents, and of `more`. */
export function hashFiles(files, more = "") {
  const hash = createHash("sha256").update(more);
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(file));
  return hash.digest("hex");
}

function readAll() {
  try {
    return JSON.parse(readFileSync(join(state, "setup.json"), "utf8"));
  } catch {
    return {};
  }
}
