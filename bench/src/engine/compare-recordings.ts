import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startSpeechRuntime } from "@scribe/speech";
import { median, printTable } from "../print-table.ts";
import { buildWhisperCpp } from "./build-whisper-cpp.ts";
import { joinClips, readClips, toFloats, toWav } from "./clips.ts";
import { GREEDY } from "./greedy.ts";
import { THREADS } from "./open-compiled.ts";
import { padModel, tokenBytes } from "./pad-model.ts";
import { transcribeFile } from "./transcribe-file.ts";
import { openTransformersJs } from "./transformers-js.ts";
import { transcribeWhisperCpp } from "./whisper-cpp.ts";
import { errorRate } from "./word-errors.ts";
import { type GgmlType, writeGgml } from "./write-ggml.ts";

/** Talk without long pauses, and with some that end a window of ours: each costs the encoder thirty seconds. */
const LONGEST_GAPS = [1, 3];
/** What is longer has talk without long pauses only, and no second hearings: one round of the rest takes minutes. */
const SHORT_MINUTES = 10;
const TARGETS = { "whisper.cpp": 2, "transformers.js": 3 };
const GGML_TYPES: GgmlType[] = ["f16", "q8_0", "q5_0"];
const PRECISIONS = ["fp32", "int8"] as const;

/** Speech as each engine wants it: samples in a file, a WAV, numbers between −1 and 1; and what is said. */
type Recording = { pcm: string; wav: string; floats: Float32Array; text: string };
type Way = {
  name: string;
  model: string;
  /** What takes too long to be heard in every round. */
  once?: true;
  transcribe: (heard: Recording) => Promise<{ text: string; ms: number }>;
};

/**
 * Recordings of many minutes, from samples to text, with the bundled model: ours and whisper.cpp with the vocabulary
 * that whisper.cpp takes for granted, transformers.js with the model as it is. Greedy, without fallback, two threads.
 */
export async function compareRecordings(minutes: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-bench-recordings-"));
  const { ways, close } = await openWays(folder);
  try {
    // Models are loaded before their time is taken.
    const warm = await record(folder, 20 / 60, 1);
    for (const way of ways) if (way.name.startsWith("ours")) await way.transcribe(warm);
    const long = minutes > SHORT_MINUTES;
    for (const longestGap of long ? LONGEST_GAPS.slice(0, 1) : LONGEST_GAPS) {
      const recording = await record(folder, minutes, longestGap);
      const measured = await takeTurns(long ? ways.filter(({ once }) => !once) : ways, recording, rounds);
      print(`${minutes} minutes of speech, pauses up to ${longestGap} s`, minutes, measured);
    }
  } finally {
    await close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function record(folder: string, minutes: number, longestGap: number): Promise<Recording> {
  const { samples, text } = joinClips(readClips("synthesized"), minutes * 60, longestGap);
  const [pcm, wav] = [join(folder, "speech.pcm"), join(folder, "speech.wav")];
  await writeFile(pcm, Buffer.from(samples.buffer));
  await writeFile(wav, toWav(samples));
  return { pcm, wav, floats: toFloats(samples), text };
}

async function openWays(folder: string): Promise<{ ways: Way[]; close(): Promise<void> }> {
  const bundled = resolve("models/whisper-nano.en");
  const padded = await padModel(bundled, join(folder, "padded"));
  const programs = await buildWhisperCpp(resolve(".scribe/bench/whisper.cpp"));
  const tokens = await tokenBytes(padded.folder, padded.special.endOfText);
  const ways: Way[] = [];
  const opened: { close(): Promise<void> }[] = [];
  for (const precision of PRECISIONS) {
    const graphs = { cacheFolder: join(folder, "graphs"), precision };
    const runtime = startSpeechRuntime({ executionProviders: ["cpu"], intraOpThreads: THREADS, graphs });
    opened.push(runtime);
    for (const [vocabulary, model] of [
      ["padded", padded.folder],
      ["as it is", bundled],
    ] as const) {
      const transcribe = ({ pcm }: Recording) => transcribeFile(runtime, model, pcm, GREEDY);
      ways.push({ name: `ours ${precision}, greedy`, model: vocabulary, transcribe });
    }
    // What a caller gets who asks for nothing: doubtful windows are heard again in parts, which takes time and finds words.
    const usual = ({ pcm }: Recording) => transcribeFile(runtime, bundled, pcm);
    if (precision === "fp32") {
      ways.push({ name: "ours fp32, by default", model: "as it is", once: true, transcribe: usual });
    }
  }
  for (const type of GGML_TYPES) {
    const file = join(folder, `${type}.bin`);
    writeGgml(padded, file, type, tokens);
    const transcribe = ({ wav }: Recording) => transcribeWhisperCpp(programs, file, wav, THREADS);
    ways.push({ name: `whisper.cpp ${type}`, model: "padded", transcribe });
  }
  for (const type of ["fp32", "q8"] as const) {
    const peer = await openTransformersJs(bundled, type);
    opened.push(peer);
    const transcribe = async ({ floats }: Recording) => {
      const startedAt = performance.now();
      const text = await peer.transcribe(floats);
      return { text, ms: performance.now() - startedAt };
    };
    ways.push({ name: `transformers.js ${type}`, model: "as it is", transcribe });
  }
  const close = async () => {
    for (const one of opened) await one.close();
  };
  return { ways, close };
}

type Measured = Pick<Way, "name" | "model"> & { ms: number; wer: number };

async function takeTurns(ways: readonly Way[], recording: Recording, rounds: number): Promise<Measured[]> {
  const heard = ways.map(() => ({ times: [] as number[], text: "" }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, way] of ways.entries()) {
      if (way.once && round > 0) continue;
      const { text, ms } = await way.transcribe(recording);
      heard[i]!.times.push(ms);
      heard[i]!.text = text;
    }
  }
  return ways.map(({ name, model }, i) => {
    const { times, text } = heard[i]!;
    return { name, model, ms: median(times), wer: errorRate([[recording.text, text]]) };
  });
}

function print(title: string, minutes: number, measured: readonly Measured[]): void {
  printTable(
    [title, "vocabulary", "seconds", "real-time factor", "WER"],
    measured.map(({ name, model, ms, wer }) => {
      const factor = `${((minutes * 60_000) / ms).toFixed(0)} ×`;
      return [name, model, (ms / 1000).toFixed(2), factor, `${wer.toFixed(1)} %`];
    }),
  );
  console.log();
  const best = (name: string, vocabulary: string) =>
    Math.min(
      ...measured.filter(({ name: of, model }) => of.startsWith(name) && model === vocabulary).map(({ ms }) => ms),
    );
  for (const [peer, target] of Object.entries(TARGETS)) {
    const model = peer === "whisper.cpp" ? "padded" : "as it is";
    const ratio = best(peer, model) / best("ours", model);
    const verdict = ratio >= target ? "met" : "MISSED";
    console.log(`best of ours over best of ${peer}: ${ratio.toFixed(2)} × (target ${target} × ${verdict})`);
  }
  console.log();
}
