import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startSpeechRuntime } from "@scribe/speech";
import type { BenchOptions } from "../main.ts";
import { printTable } from "../print-table.ts";
import { memoryOf } from "./child-memory.ts";
import { joinClips, readClips } from "./clips.ts";
import { GREEDY } from "./greedy.ts";
import { THREADS } from "./open-compiled.ts";
import { transcribeFile } from "./transcribe-file.ts";

const MINUTES = [1, 10, 60, 180];
const MOST_GROWTH = 0.1;

/**
 * Recordings of 1 to 180 minutes, each through a new child: time should grow with the length, the child's highest memory
 * should not. The first minute fills the batch: what a longer one needs is compared with the ten-minute one. Greedy: how
 * often a doubtful window is heard again is a matter of what is said, not of length.
 */
export async function growth({ minutes: longest }: BenchOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-growth-"));
  const model = resolve("models/whisper-nano.en");
  const clips = readClips("synthesized");
  const results: { minutes: number; seconds: number; peak: number }[] = [];
  try {
    for (const minutes of MINUTES.filter((length) => length <= longest)) {
      const path = join(folder, `${minutes}.pcm`);
      await writeFile(path, Buffer.from(joinClips(clips, minutes * 60).samples.buffer));
      const runtime = startSpeechRuntime({
        executionProviders: ["cpu"],
        intraOpThreads: THREADS,
        graphs: { cacheFolder: join(folder, "graphs"), precision: "fp32" },
      });
      try {
        const { ms } = await transcribeFile(runtime, model, path, GREEDY);
        results.push({ minutes, seconds: ms / 1000, peak: memoryOf(runtime.health().pid!).peak });
      } finally {
        await runtime.close();
        await rm(path);
      }
    }
    const compared = results.find(({ minutes }) => minutes === 10) ?? results[0]!;
    printTable(
      ["minutes", "seconds", "seconds a minute", "child's peak, MiB", "next to 10 minutes", `≤ ${100 * MOST_GROWTH} %`],
      results.map(({ minutes, seconds, peak }) => {
        const more = peak / compared.peak - 1;
        const verdict = more <= MOST_GROWTH ? "met" : "MISSED";
        return [
          minutes,
          seconds.toFixed(1),
          (seconds / minutes).toFixed(2),
          peak.toFixed(0),
          `${(100 * more).toFixed(1)} %`,
          verdict,
        ];
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
