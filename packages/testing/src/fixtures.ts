import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const FIXTURES = resolve(import.meta.dirname, "../fixtures");
const SAMPLE = resolve(import.meta.dirname, "../../../models/sample");

/** A short recording in packages/testing/fixtures (its README lists them) and the words in it. */
export function speechFixture(name: string): { path: string; bytes: Uint8Array; text: string } {
  return read(resolve(FIXTURES, name));
}

/** The two-speaker dialogue of about 30 s that comes with the project. */
export function sampleDialogue(): { path: string; bytes: Uint8Array; text: string } {
  return read(resolve(SAMPLE, "dialogue"));
}

function read(stem: string) {
  const path = `${stem}.wav`;
  return { path, bytes: readFileSync(path), text: readFileSync(`${stem}.txt`, "utf8").trim() };
}
