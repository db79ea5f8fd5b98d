import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { printTable } from "../print-table.ts";
import { TURBO } from "./shapes.ts";
import { writeRandomModel } from "./write-random-model.ts";

const MOST_SECONDS = 60;
const MOST_MIB = 4096;
/** What each provider gets of it: precision, form, and who that is. */
const WAYS = [
  ["fp32", "loop", "processor"],
  ["int8", "loop", "processor"],
  ["fp16", "steps", "WebGPU"],
  ["fp16", "whole", "CUDA"],
  ["fp32", "whole", "CUDA"],
] as const;

/** The shapes of large-v3-turbo, random weights, compiled for each provider in a process of its own: time and peak memory. */
export async function compileTurbo(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "scribe-bench-compile-"));
  const program = fileURLToPath(new URL("./compile-process.ts", import.meta.url));
  try {
    writeRandomModel(folder, TURBO);
    const rows = WAYS.map(([precision, form, provider]) => {
      const cache = join(folder, "graphs");
      const said = execFileSync(process.execPath, [program, folder, cache, precision, form], { encoding: "utf8" });
      rmSync(cache, { recursive: true });
      const { seconds, peakMib, bytes } = JSON.parse(said) as { seconds: number; peakMib: number; bytes: number };
      const verdict = seconds <= MOST_SECONDS && peakMib <= MOST_MIB ? "met" : "MISSED";
      const sizes = [(peakMib / 1024).toFixed(2), (bytes / 1e9).toFixed(2)];
      return [provider, precision, form, seconds.toFixed(1), ...sizes, verdict];
    });
    const limits = `${MOST_SECONDS} s, ${MOST_MIB / 1024} GiB`;
    printTable(["large-v3-turbo for", "precision", "form", "seconds", "peak, GiB", "graphs, GB", limits], rows);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
