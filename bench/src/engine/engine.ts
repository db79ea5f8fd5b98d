import { spawn } from "node:child_process";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import type { BenchOptions } from "../main.ts";
import { PARTS, type PartName } from "./parts.ts";

/** Half an hour of speech, heard by ten ways in two rounds, takes most of an hour. */
const PART_LIMIT_MS = 7_200_000;

/**
 * The engine next to whisper.cpp and transformers.js: same weights, same audio, two threads, taking turns. `only` names
 * parts, separated by commas. A part that fails says so, and the others run.
 */
export async function engine({ only, minutes, rounds }: BenchOptions): Promise<void> {
  const names = Object.keys(PARTS) as PartName[];
  const wanted = only === "" ? names : only.split(",").map((name) => name.trim() as PartName);
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`No such part: ${unknown.join(", ")}. There are: ${names.join(", ")}.`);
  console.log(`Load when begun: ${loadavg()[0]!.toFixed(1)} (a figure means something where it is near zero)`);
  const failed: string[] = [];
  for (const name of wanted) {
    console.log(`\n### ${name}: ${PARTS[name]}\n`);
    const code = await runApart(name, [String(minutes), String(rounds)]);
    if (code !== 0) failed.push(name);
  }
  if (failed.length > 0) throw new Error(`These parts failed: ${failed.join(", ")}.`);
}

/** What transformers.js says with the same weights, token by token. */
export async function equality(): Promise<void> {
  if ((await runApart("equality", [])) !== 0) throw new Error("The tokens are not the same.");
}

function runApart(name: string, args: string[]): Promise<number | null> {
  const program = fileURLToPath(new URL("./part-process.ts", import.meta.url));
  // The variable keeps onnxruntime from telling anyone what it runs; it must be set before the library is loaded.
  const env = { ...process.env, ORT_DISABLE_TELEMETRY: "1" };
  const child = spawn(process.execPath, [program, name, ...args], { stdio: "inherit", env, timeout: PART_LIMIT_MS });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
}
