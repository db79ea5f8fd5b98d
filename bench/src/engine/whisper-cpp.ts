import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { WhisperCpp } from "./build-whisper-cpp.ts";

const run = promisify(execFile);
const RUN_LIMIT_MS = 400_000;
const OUTPUT_LIMIT = 1 << 28;

/** What whisper.cpp says of one of its own benchmarks. */
export interface BenchFigures {
  system: string;
  encodeMs: number;
  /** Of one token, of one window: 256 of them, from the beginning of the context on. */
  stepMs: number;
}

/** Times a model by whisper.cpp's own program: a window's encoder, and 256 single steps. */
export async function benchWhisperCpp({ bench }: WhisperCpp, model: string, threads: number): Promise<BenchFigures> {
  const options = { timeout: RUN_LIMIT_MS, maxBuffer: OUTPUT_LIMIT };
  const { stderr } = await run(bench, ["-m", model, "-t", String(threads), "-ng"], options);
  const perRun = (name: string) =>
    Number(new RegExp(`${name} time =.*\\(\\s*([\\d.]+) ms per run\\)`).exec(stderr)?.[1]);
  return {
    system: /system_info: (.*)/.exec(stderr)?.[1] ?? "",
    encodeMs: perRun("encode"),
    stepMs: perRun("decode"),
  };
}

/** Transcribes a WAV file greedily, without fallback: its text, and the time from reading the samples to the last window. */
export async function transcribeWhisperCpp(
  { main }: WhisperCpp,
  model: string,
  wav: string,
  threads: number,
): Promise<{ text: string; ms: number }> {
  const out = `${wav}.whisper-cpp`;
  const greedy = ["-bs", "1", "-bo", "1", "-nf"];
  const args = [
    "-m",
    model,
    "-f",
    wav,
    "-t",
    String(threads),
    "-ng",
    "-np",
    "-l",
    "en",
    ...greedy,
    "-otxt",
    "-of",
    out,
  ];
  const options = { timeout: RUN_LIMIT_MS, maxBuffer: OUTPUT_LIMIT };
  const startedAt = performance.now();
  await run(main, args, options);
  const ms = performance.now() - startedAt;
  return { text: (await readFile(`${out}.txt`, "utf8")).replaceAll("\n", " "), ms };
}
