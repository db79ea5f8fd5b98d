import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type SpeechOptions, startSpeechRuntime } from "@scribe/speech";
import { median, printTable } from "../print-table.ts";
import { buildWhisperCpp } from "./build-whisper-cpp.ts";
import { joinClips, readClips, toFloats, toWav } from "./clips.ts";
import { THREADS } from "./open-compiled.ts";
import { padModel, tokenBytes } from "./pad-model.ts";
import { transcribeFile } from "./transcribe-file.ts";
import { openTransformersJs } from "./transformers-js.ts";
import { transcribeWhisperCpp } from "./whisper-cpp.ts";
import { errorRate } from "./word-errors.ts";
import { type GgmlType, writeGgml } from "./write-ggml.ts";

const TARGETS = { "whisper.cpp": 2, "transformers.js": 3 };
const GGML_TYPES: GgmlType[] = ["f16", "q8_0", "q5_0"];
const PRECISIONS = ["fp32", "int8"] as const;

/** As the peers are run: what is in doubt is not heard again, in parts or at other temperatures. */
const GREEDY: SpeechOptions = { temperature: 0, logprob_threshold: null, compression_ratio_threshold: null };

type Way = { name: string; model: string; transcribe: () => Promise<{ text: string; ms: number }> };

/**
 * A recording of many minutes, from samples to text, with the bundled model: ours and whisper.cpp with the vocabulary
 * that whisper.cpp takes for granted, transformers.js with the model as it is. Greedy, without fallback, two threads.
 */
export async function compareRecordings(minutes: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-recordings-"));
  const bundled = resolve("models/whisper-nano.en");
  const padded = await padModel(bundled, join(folder, "padded"));
  const programs = await buildWhisperCpp(resolve(".scribe/bench/whisper.cpp"));
  const { samples, text } = joinClips(readClips("synthesized"), minutes * 60);
  const [pcm, wav] = [join(folder, "speech.pcm"), join(folder, "speech.wav")];
  await writeFile(pcm, Buffer.from(samples.buffer));
  await writeFile(wav, toWav(samples));
  const floats = toFloats(samples);
  const tokens = await tokenBytes(padded.folder, padded.special.endOfText);

  const ways: Way[] = [];
  const runtimes = PRECISIONS.map((precision) =>
    startSpeechRuntime({
      executionProviders: ["cpu"],
      intraOpThreads: THREADS,
      graphs: { cacheFolder: join(folder, "graphs"), precision },
    }),
  );
  const theirs = [];
  try {
    for (const [i, precision] of PRECISIONS.entries()) {
      for (const [vocabulary, model] of [
        ["padded", padded.folder],
        ["as it is", bundled],
      ] as const) {
        const transcribe = () => transcribeFile(runtimes[i]!, model, pcm, GREEDY);
        ways.push({ name: `ours ${precision}`, model: vocabulary, transcribe });
      }
    }
    // What a caller gets who asks for nothing: doubtful windows are heard again in parts, which takes time and finds words.
    const usual = () => transcribeFile(runtimes[0]!, bundled, pcm, {});
    ways.push({ name: "by default, fp32", model: "as it is", transcribe: usual });
    for (const type of GGML_TYPES) {
      const file = join(folder, `${type}.bin`);
      writeGgml(padded, file, type, tokens);
      const transcribe = () => transcribeWhisperCpp(programs, file, wav, THREADS);
      ways.push({ name: `whisper.cpp ${type}`, model: "padded", transcribe });
    }
    for (const type of ["fp32", "q8"] as const) {
      const peer = await openTransformersJs(bundled, type);
      theirs.push(peer);
      const transcribe = async () => {
        const startedAt = performance.now();
        const said = await peer.transcribe(floats);
        return { text: said, ms: performance.now() - startedAt };
      };
      ways.push({ name: `transformers.js ${type}`, model: "as it is", transcribe });
    }
    // Models are loaded before their time is taken.
    const warm = join(folder, "warm.pcm");
    await writeFile(warm, Buffer.from(samples.buffer, 0, 20 * 32_000));
    for (const runtime of runtimes) {
      for (const model of [padded.folder, bundled]) await transcribeFile(runtime, model, warm, GREEDY);
    }

    const times = new Map<Way, number[]>(ways.map((way) => [way, []]));
    const errors = new Map<Way, number>();
    for (let round = 0; round < rounds; round++) {
      for (const way of ways) {
        const { text: heard, ms } = await way.transcribe();
        times.get(way)!.push(ms);
        errors.set(way, errorRate([[text, heard]]));
      }
    }
    const timeOf = (way: Way) => median(times.get(way)!);
    const best = (name: string, model: string) =>
      Math.min(...ways.filter((way) => way.name.startsWith(name) && way.model === model).map(timeOf));
    printTable(
      [`${minutes} minutes of speech`, "vocabulary", "seconds", "real-time factor", "WER"],
      ways.map((way) => {
        const seconds = timeOf(way) / 1000;
        const factor = `${((minutes * 60) / seconds).toFixed(0)} ×`;
        return [way.name, way.model, seconds.toFixed(2), factor, `${errors.get(way)!.toFixed(1)} %`];
      }),
    );
    console.log();
    for (const [peer, target] of Object.entries(TARGETS)) {
      const model = peer === "whisper.cpp" ? "padded" : "as it is";
      const ratio = best(peer, model) / best("ours", model);
      const verdict = ratio >= target ? "met" : "MISSED";
      console.log(`best of ours over best of ${peer}: ${ratio.toFixed(2)} × (target ${target} × ${verdict})`);
    }
  } finally {
    for (const runtime of runtimes) await runtime.close();
    for (const peer of theirs) await peer.close();
    await rm(folder, { recursive: true, force: true });
  }
}
