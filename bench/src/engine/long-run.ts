import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startSpeechRuntime } from "@scribe/speech";
import type { BenchOptions } from "../main.ts";
import { printTable } from "../print-table.ts";
import { memoryOf } from "./child-memory.ts";
import { joinClips, readClips } from "./clips.ts";
import { THREADS } from "./open-compiled.ts";
import { transcribeFile } from "./transcribe-file.ts";

/** Lengths of the jobs in seconds, over and over. */
const LENGTHS = [2, 75, 9, 31, 140, 4, 18, 55];
const AT_ONCE = 2;
const WARM = 20;
const MOST_GROWTH = 0.1;

/** Many jobs of mixed length through one child, two at a time: its memory at the end next to that after the 20th. */
export async function longRun({ jobs }: BenchOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-run-"));
  const model = resolve("models/whisper-nano.en");
  const clips = readClips("synthesized");
  const runtime = startSpeechRuntime({
    executionProviders: ["cpu"],
    intraOpThreads: THREADS,
    graphs: { cacheFolder: join(folder, "graphs"), precision: "fp32" },
  });
  try {
    for (const seconds of LENGTHS) {
      await writeFile(join(folder, `${seconds}.pcm`), Buffer.from(joinClips(clips, seconds).samples.buffer));
    }
    const samples: [number, number][] = [];
    let [next, done] = [0, 0];
    const worker = async () => {
      while (next < jobs) {
        const job = next++;
        const words = job % 3 === 0;
        await transcribeFile(runtime, model, join(folder, `${LENGTHS[job % LENGTHS.length]}.pcm`), {
          word_timestamps: words,
          ...(job % 5 === 4 && { mode: "sequential", vad: false }),
        });
        if (++done % WARM === 0 || done === jobs) samples.push([done, memoryOf(runtime.health().pid!).now]);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const first = samples[0]![1];
    printTable(
      ["jobs done", "child's memory, MiB", `next to after ${WARM}`],
      samples.map(([count, now]) => [count, now.toFixed(0), `${(100 * (now / first - 1)).toFixed(1)} %`]),
    );
    const growth = samples.at(-1)![1] / first - 1;
    const verdict = growth <= MOST_GROWTH && runtime.health().childStarts === 1 ? "met" : "MISSED";
    console.log(`\nwithin ${100 * MOST_GROWTH} % in one child: ${verdict}`);
  } finally {
    await runtime.close();
    await rm(folder, { recursive: true, force: true });
  }
}
