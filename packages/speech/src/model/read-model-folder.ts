import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { FeatureSettings } from "../features/log-mel.ts";
import { SpeechError } from "../speech-error.ts";
import { readTokenizer } from "../tokenizer/read-tokenizer.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import {
  configSchema,
  type GenerationConfig,
  generationSchema,
  type ModelConfig,
  preprocessorSchema,
} from "./model-config.ts";
import { parseJsonAs } from "./parse-json.ts";
import { findSpecialTokens, type SpecialTokens } from "./special-tokens.ts";

/** A model as its folder describes it, checked for agreement of its parts; no weights are read. */
export type ModelFolder = {
  folder: string;
  config: ModelConfig;
  generation: GenerationConfig;
  features: FeatureSettings;
  /** Feature frames of a window, and samples of it. */
  windowFrames: number;
  windowSamples: number;
  /** Feature frames that a step of the timestamps stands for. */
  framesPerTimestamp: number;
  /** Seconds that a step of the timestamps stands for. */
  secondsPerTimestamp: number;
  tokenizer: Tokenizer;
  special: SpecialTokens;
  suppressTokens: readonly number[];
  beginSuppressTokens: readonly number[];
};

/**
 * Reads `config.json`, `generation_config.json`, `preprocessor_config.json` and the tokenizer of a model folder in the
 * hub's layout. Throws `model_unavailable` for what is missing, `invalid_model` for what is damaged or does not fit.
 */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  const read = (name: string) => readModelFile(folder, name);
  const config = parseJsonAs("config.json", await need(folder, "config.json"), configSchema);
  const preprocessor = parseJsonAs(
    "preprocessor_config.json",
    await need(folder, "preprocessor_config.json"),
    preprocessorSchema,
  );
  const generationText = await read("generation_config.json");
  const generation =
    generationText === undefined ? {} : parseJsonAs("generation_config.json", generationText, generationSchema);

  const { feature_size, hop_length, n_fft, sampling_rate, chunk_length } = preprocessor;
  if (feature_size !== config.num_mel_bins) {
    throw new SpeechError("invalid_model", `${feature_size} mel bins are made, ${config.num_mel_bins} are expected`);
  }
  const windowSamples = chunk_length * sampling_rate;
  const windowFrames = Math.floor(windowSamples / hop_length);
  const framesPerTimestamp = windowFrames / config.max_source_positions;
  if (!Number.isInteger(framesPerTimestamp)) {
    throw new SpeechError(
      "invalid_model",
      `${windowFrames} frames of a window do not fit ${config.max_source_positions} positions`,
    );
  }
  const tokenizer = await readTokenizer(read);
  return {
    folder,
    config,
    generation,
    features: { melBins: feature_size, fftSize: n_fft, hopSize: hop_length, sampleRate: sampling_rate },
    windowFrames,
    windowSamples,
    framesPerTimestamp,
    secondsPerTimestamp: (framesPerTimestamp * hop_length) / sampling_rate,
    tokenizer,
    special: findSpecialTokens(tokenizer, config, generation, config.max_source_positions + 1),
    suppressTokens: generation.suppress_tokens ?? config.suppress_tokens ?? [],
    beginSuppressTokens: generation.begin_suppress_tokens ?? config.begin_suppress_tokens ?? [],
  };
}

async function need(folder: string, name: string): Promise<string> {
  const text = await readModelFile(folder, name);
  if (text !== undefined) return text;
  const there = await stat(folder).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  throw new SpeechError("model_unavailable", there ? `the model lacks ${name}` : "there is no such model folder");
}

async function readModelFile(folder: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, name), "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new SpeechError("model_unavailable", `${name} cannot be read (${code})`, error);
  }
}
