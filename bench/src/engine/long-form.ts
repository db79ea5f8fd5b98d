import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type SpeechOptions, type SpeechRuntime, startSpeechRuntime } from "@scribe/speech";
import type { BenchOptions } from "../main.ts";
import { printTable } from "../print-table.ts";
import { type Clip, joinClips, readClips, testModels } from "./clips.ts";
import { GREEDY } from "./greedy.ts";
import { THREADS } from "./open-compiled.ts";
import { transcribeFile } from "./transcribe-file.ts";
import { errorRate } from "./word-errors.ts";

const MOST_POINTS = 1.5;
/** A clip alone is one window, and may be drawn at random: so often, for one draw of all moves its figure by a point. */
const DRAWS = 3;
const WAYS: Record<string, { name: string; options: SpeechOptions }> = {
  packed: { name: "packed", options: {} },
  sequential: { name: "sequential", options: { mode: "sequential" } },
  whole: { name: "sequential, all of the file", options: { mode: "sequential", vad: false } },
};
/** Folders of models, and the clips that they hear. */
const MODELS: Record<string, { folder: () => string; clips: "synthesized" | "english" }> = {
  bundled: { folder: () => resolve("models/whisper-nano.en"), clips: "synthesized" },
  tiny: { folder: () => join(testModels(), "whisper-tiny.en-relearned"), clips: "english" },
};
const COLUMNS = ["model", "way", "alone, WER %", "joined", "points", "times rise", "s", `≤ ${MOST_POINTS} points`];

/**
 * Clips joined to one long recording with gaps of 0.2 to 3 s, and the same clips each alone: word error rates, and whether
 * times rise. The bundled model hears synthesized voices, the one of real size (where there is one) real speech. `only`
 * names ways and models, separated by commas; rows are told as they are known, for hours of speech take theirs.
 */
export async function longForm({ minutes, greedy, only }: BenchOptions): Promise<void> {
  const names = only === "" ? [] : only.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !Object.hasOwn(WAYS, name) && !Object.hasOwn(MODELS, name));
  if (unknown.length > 0) throw new Error(`${unknown.join(", ")} is none of: ${Object.keys({ ...WAYS, ...MODELS })}.`);
  const wanted = (all: object) => {
    const named = names.filter((name) => Object.hasOwn(all, name));
    return named.length > 0 ? named : Object.keys(all);
  };
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-long-"));
  const runtime = startSpeechRuntime({
    executionProviders: ["cpu"],
    intraOpThreads: THREADS,
    graphs: { cacheFolder: join(folder, "graphs"), precision: "fp32" },
  });
  const rows: string[][] = [];
  try {
    for (const { folder: find, clips: set } of wanted(MODELS).map((name) => MODELS[name]!)) {
      const model = find();
      const clips = readClips(set);
      const joined = joinClips(clips, minutes * 60);
      for (const { name, options } of wanted(WAYS).map((way) => WAYS[way]!)) {
        const row = await compare({ runtime, folder, model }, clips, joined, { ...options, ...(greedy && GREEDY) });
        rows.push([model.replace(/.*\//, ""), greedy ? `${name}, greedy` : name, ...row]);
        console.error(rows.at(-1)!.join(" · "));
      }
    }
    console.log(`Clips joined to ${minutes} minutes.\n`);
    printTable(COLUMNS, rows);
  } finally {
    await runtime.close();
    await rm(folder, { recursive: true, force: true });
  }
}

type Heard = Pick<Clip, "samples" | "text">;

/** The cells of a row, from the third on. */
async function compare(
  { runtime, folder, model }: { runtime: SpeechRuntime; folder: string; model: string },
  clips: readonly Clip[],
  joined: Heard,
  options: SpeechOptions,
): Promise<string[]> {
  const hear = async ({ samples }: Heard, id: string) => {
    const path = join(folder, "heard.pcm");
    await writeFile(path, Buffer.from(samples.buffer));
    return await transcribeFile(runtime, model, path, options, () => {}, id);
  };
  const pairs: [string, string][] = [];
  const draws = options.temperature === 0 ? 1 : DRAWS;
  for (const clip of clips) {
    for (let draw = 0; draw < draws; draw++) pairs.push([clip.text, (await hear(clip, `${clip.file} ${draw}`)).text]);
  }
  const { text, segments, ms } = await hear(joined, "joined");
  const [alone, together] = [errorRate(pairs), errorRate([[joined.text, text]])];
  const rising = segments.every(({ start, end }, i) => end >= start && start >= (segments[i - 1]?.start ?? 0));
  return [
    ...[alone, together, together - alone].map((points) => points.toFixed(1)),
    rising ? "yes" : "NO",
    (ms / 1000).toFixed(0),
    together - alone <= MOST_POINTS && rising ? "met" : "MISSED",
  ];
}
