import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diarize } from "@scribe/speech";
import { printTable } from "../print-table.ts";
import type { NetworkFolders } from "./networks.ts";
import type { Recording } from "./recordings.ts";

const MINUTES = (process.env.DIARIZATION_MINUTES ?? "10,30").split(",").map(Number);
/** The networks need minutes for an hour; where no lengths are named this is not measured of them. */
const lengths = (variable: string) => (process.env[variable] ?? "").split(",").filter(Boolean).map(Number);
const NETWORK_MINUTES = {
  fast: lengths("DIARIZATION_FAST_MINUTES"),
  exact: lengths("DIARIZATION_EXACT_MINUTES"),
};

/**
 * The peak of the diarization process' memory, and its pace, over recordings of growing length: one again and again, so
 * the count of speakers is not what it would be in a real one (the same words again tell nothing new of a voice).
 * DIARIZATION_MINUTES (10,30), DIARIZATION_FAST_MINUTES and DIARIZATION_EXACT_MINUTES (none) name the lengths.
 */
export async function memoryOverLength(recording: Recording, folder: string, networks: NetworkFolders): Promise<void> {
  const once = readFileSync(recording.pcmPath);
  const rows: (string | number)[][] = [];
  const ask = async (how: string, minutes: number, more: object) => {
    const pcmPath = join(folder, "long.pcm");
    writeFileSync(pcmPath, "");
    for (let written = 0; written < minutes * 60 * 32_000; written += once.length) appendFileSync(pcmPath, once);
    const before = performance.now();
    let peakBytes = 0;
    await diarize(
      { pcmPath, executionProviders: ["cpu"], intraOpThreads: 2, ...more },
      { signal: AbortSignal.timeout(6 * 3_600_000), onPeakMemory: (bytes) => (peakBytes = bytes) },
    );
    const seconds = (performance.now() - before) / 1000;
    const row = [how, minutes, `${(peakBytes / 2 ** 20).toFixed(0)} MiB`, `${((minutes * 60) / seconds).toFixed(1)} ×`];
    // Six hours take more than one of the machine's: what is known is told.
    console.log(row.join(", "));
    rows.push(row);
    rmSync(pcmPath);
  };
  for (const minutes of MINUTES) await ask("bundled", minutes, {});
  for (const speed of ["fast", "exact"] as const) {
    for (const minutes of NETWORK_MINUTES[speed]) await ask(`networks, ${speed}`, minutes, { ...networks, speed });
  }
  console.log(`\n${recording.name} again and again\n`);
  printTable(["how", "minutes", "peak memory", "real time"], rows);
}
