import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CompileOptions, compileModel, type Precision } from "../../src/compile/compile-model.ts";
import { CompiledModel } from "../../src/compile/compiled-model.ts";
import { LogMel } from "../../src/features/log-mel.ts";
import { type ModelFolder, readModelFolder } from "../../src/model/read-model-folder.ts";

export type GoldenText = { tokens: number[]; gaps: (number | null)[]; avg_logprob: number; no_speech_prob: number };
export type GoldenWindow = {
  file: string;
  encoder: { positions: number[]; dims: number[]; values: number[][] };
  without_timestamps: GoldenText;
  with_timestamps: GoldenText;
  words: { word: string; start: number; end: number }[];
};

const MODELS = process.env.SCRIBE_TEST_MODELS ?? "";
const AUDIO = process.env.SCRIBE_TEST_AUDIO ?? join(MODELS, "..", "audio");

export const modelFolder = (name: string) => join(MODELS, name);

/** Recordings joined with silence behind each, and what the reference says of them. */
export type GoldenSequence = {
  files: string[];
  gaps_after: number[];
  segments: { start: number; end: number; text: string; tokens: number[] }[];
};

export function goldenWindows(name: string): GoldenWindow[] {
  return readGolden(name, "windows.json");
}

export function goldenSequence(name: string): GoldenSequence {
  return readGolden(name, "sequential.json");
}

function readGolden(name: string, file: string) {
  const path = join(MODELS, "goldens", name === "whisper-nano.en" ? "" : "tiny", file);
  return JSON.parse(readFileSync(path, "utf8"));
}

/** A file as 16 kHz mono. */
export function samplesOf(file: string): Float32Array {
  const to = ["-f", "f32le", "-ac", "1", "-ar", "16000", "-"];
  const bytes = execFileSync("ffmpeg", ["-v", "error", "-i", join(AUDIO, file), ...to], { maxBuffer: 1e9 });
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

export function melOf(model: ModelFolder, file: string): Float32Array {
  return new LogMel(model.features).window(samplesOf(file), model.windowFrames);
}

/** A model compiled into `cacheFolder` and opened. */
export async function openCompiled(
  folder: string,
  cacheFolder: string,
  precision: Precision,
  options: Partial<CompileOptions> = {},
): Promise<{ model: ModelFolder; network: CompiledModel }> {
  const model = await readModelFolder(folder);
  const alignmentHeads = options.alignmentHeads ?? model.generation.alignment_heads ?? [];
  const files = await compileModel(model, { modelHash: folder, precision, cacheFolder, ...options, alignmentHeads });
  const settings = { executionProviders: ["cpu"], intraOpThreads: 2 };
  return { model, network: await CompiledModel.open(model, files, alignmentHeads, settings) };
}
