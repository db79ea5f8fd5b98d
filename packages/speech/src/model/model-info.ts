import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { readModelFolder } from "./read-model-folder.ts";

/** What a model folder says about itself. */
export type ModelInfo = {
  folder: string;
  /** SHA-256 over the files that decide a transcript: weights, configuration, tokenizer. */
  hash: string;
  multilingual: boolean;
  /** ISO codes that the model can be told to expect; `["en"]` for English-only models. */
  languages: string[];
  vocabularySize: number;
  melBins: number;
  windowSeconds: number;
};

/** Files whose bytes decide what a model says. */
const DECISIVE_FILE = /\.(json|txt|onnx|onnx_data|safetensors)$/;

/** Reads a model folder and hashes it; throws `model_unavailable` or `invalid_model`. Abortable: hashing reads all weights. */
export async function readModelInfo(folder: string, signal?: AbortSignal): Promise<ModelInfo> {
  const model = await readModelFolder(folder);
  const languages = [...model.special.languages.keys()];
  return {
    folder,
    hash: await hashModelFolder(folder, signal),
    multilingual: languages.length > 0,
    languages: languages.length > 0 ? languages : ["en"],
    vocabularySize: model.config.vocab_size,
    melBins: model.config.num_mel_bins,
    windowSeconds: model.windowSamples / model.features.sampleRate,
  };
}

/** SHA-256 over names and contents of the decisive files, in the order of their names. */
export async function hashModelFolder(folder: string, signal?: AbortSignal): Promise<string> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => DECISIVE_FILE.test(name)).sort();
  const whole = createHash("sha256");
  for (const name of names) {
    const path = join(folder, name);
    if (!(await stat(path)).isFile()) continue;
    const file = createHash("sha256");
    await pipeline(createReadStream(path), file, { ...(signal ? { signal } : {}) });
    whole.update(`${name}\0${file.digest("hex")}\n`);
  }
  return whole.digest("hex");
}
