import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diarize } from "@scribe/speech";
import { printTable } from "../print-table.ts";
import type { Recording } from "./recordings.ts";

const MINUTES = (process.env.DIARIZATION_MINUTES ?? "10,60,360").split(",").map(Number);

/**
 * The peak of the diarization process' memory, and its pace, over recordings of growing length: one again and again, so
 * the count of speakers is not what it would be in a real one (the same words again tell nothing new of a voice).
 * DIARIZATION_MINUTES names other lengths.
 */
export async function memoryOverLength(recording: Recording, folder: string): Promise<void> {
  const once = readFileSync(recording.pcmPath);
  const rows: (string | number)[][] = [];
  for (const minutes of MINUTES) {
    const pcmPath = join(folder, "long.pcm");
    writeFileSync(pcmPath, "");
    for (let written = 0; written < minutes * 60 * 32_000; written += once.length) appendFileSync(pcmPath, once);
    const before = performance.now();
    let peakBytes = 0;
    await diarize(
      { pcmPath, executionProviders: ["cpu"], intraOpThreads: 2 },
      { signal: AbortSignal.timeout(6 * 3_600_000), onPeakMemory: (bytes) => (peakBytes = bytes) },
    );
    const seconds = (performance.now() - before) / 1000;
    rows.push([minutes, `${(peakBytes / 2 ** 20).toFixed(0)} MiB`, `${((minutes * 60) / seconds).toFixed(0)} ×`]);
    rmSync(pcmPath);
  }
  console.log(`\n${recording.name} again and again\n`);
  printTable(["minutes", "peak memory", "real time"], rows);
}
