import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type SpeechOptions, startSpeechRuntime } from "@scribe/speech";
import type { BenchOptions } from "../main.ts";
import { printTable } from "../print-table.ts";
import { joinClips, readClips, testModels } from "./clips.ts";
import { GREEDY } from "./greedy.ts";
import { THREADS } from "./open-compiled.ts";
import { transcribeFile } from "./transcribe-file.ts";
import { errorRate } from "./word-errors.ts";

const MOST_POINTS = 1.5;
/** A clip alone is one window, and may be drawn at random: so often, for one draw of all moves its figure by a point. */
const DRAWS = 3;
const WAYS: Record<string, SpeechOptions> = {
  packed: {},
  sequential: { mode: "sequential" },
  "sequential, all of the file": { mode: "sequential", vad: false },
};

/**
 * Clips joined to one long recording with gaps of 0.2 to 3 s, and the same clips each alone: word error rates, and whether
 * times rise. The bundled model hears synthesized voices, the one of real size (where there is one) real speech.
 */
export async function longForm({ minutes, greedy }: BenchOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-long-"));
  const runtime = startSpeechRuntime({
    executionProviders: ["cpu"],
    intraOpThreads: THREADS,
    graphs: { cacheFolder: join(folder, "graphs"), precision: "fp32" },
  });
  const rows: (string | number)[][] = [];
  try {
    for (const [model, set] of [
      [resolve("models/whisper-nano.en"), "synthesized"],
      [join(testModels(), "whisper-tiny.en-relearned"), "english"],
    ] as const) {
      const clips = readClips(set);
      const joined = joinClips(clips, minutes * 60);
      const path = join(folder, "joined.pcm");
      await writeFile(path, Buffer.from(joined.samples.buffer));
      for (const [way, own] of Object.entries(WAYS)) {
        const options = { ...own, ...(greedy && GREEDY) };
        const pairs: [string, string][] = [];
        for (const { file, samples, text } of clips) {
          const alone = join(folder, `${file}.pcm`);
          await writeFile(alone, Buffer.from(samples.buffer));
          for (let draw = 0; draw < (greedy ? 1 : DRAWS); draw++) {
            const heard = await transcribeFile(runtime, model, alone, options, () => {}, `${file} ${draw}`);
            pairs.push([text, heard.text]);
          }
        }
        const { text, segments, ms } = await transcribeFile(runtime, model, path, options, () => {}, "joined");
        const [alone, together] = [errorRate(pairs), errorRate([[joined.text, text]])];
        const rising = segments.every(({ start, end }, i) => end >= start && start >= (segments[i - 1]?.start ?? 0));
        const verdict = together - alone <= MOST_POINTS && rising ? "met" : "MISSED";
        const cells = [alone, together, together - alone].map((points) => `${points.toFixed(1)}`);
        rows.push([
          model.replace(/.*\//, ""),
          greedy ? `${way}, greedy` : way,
          ...cells,
          rising ? "yes" : "NO",
          (ms / 1000).toFixed(0),
          verdict,
        ]);
      }
    }
    printTable(
      [
        "model",
        "way",
        "alone, WER %",
        `joined to ${minutes} min`,
        "points",
        "times rise",
        "s",
        `≤ ${MOST_POINTS} points`,
      ],
      rows,
    );
  } finally {
    await runtime.close();
    await rm(folder, { recursive: true, force: true });
  }
}
