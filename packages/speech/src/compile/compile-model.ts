import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { SpeechError } from "../speech-error.ts";
import { buildAlignment } from "./build-alignment.ts";
import { buildDecoder } from "./build-decoder.ts";
import { buildEncoder } from "./build-encoder.ts";
import { buildFeatures } from "./build-features.ts";
import { buildArrangement, buildPrompt, buildRead, buildSingle, buildSteps } from "./build-steps.ts";
import { buildWhole } from "./build-whole.ts";
import type { CrossForm } from "./cross-attention.ts";
import { GraphBuilder } from "./graph-builder.ts";
import { NetworkWeights } from "./network-weights.ts";
import { PORTABLE_OPSET } from "./portable-decoder.ts";
import type { Arithmetic } from "./projection.ts";
import { openSafetensors } from "./read-safetensors.ts";
import { hasSignedProducts } from "./signed-products.ts";
import { WeightFile } from "./weight-file.ts";

/** Raised whenever graphs of the same model would come out otherwise: older ones in the cache are left aside. */
const COMPILER_VERSION = 9;

export type Precision = "fp32" | "fp16" | "int8";

/**
 * How decoding is cut into graphs: `loop`, a few rounds of a loop, for the processor; `steps`, a few unrolled rounds whose
 * keys and values stay on the device, for WebGPU, which has no loop; `whole`, from features to text in one run, for CUDA,
 * where JavaScript can leave nothing on the device, and the steps beside it for those who choose tokens by themselves.
 */
export type GraphForm = "loop" | "steps" | "whole";

export type CompileOptions = {
  /** SHA-256 of the model, as `hashModelFolder` makes it. */
  modelHash: string;
  precision: Precision;
  /** Absent: `loop`. */
  form?: GraphForm | undefined;
  /** Pairs of decoder layer and head whose attention gives words their times; none: no alignment graph. */
  alignmentHeads: readonly (readonly [number, number])[];
  cacheFolder: string;
  /** In 8 bit, whether weights of products by rows are signed bytes; absent: as this processor is fast and right with. */
  signedWeights?: boolean | undefined;
  signal?: AbortSignal | undefined;
};

/** Paths of a compiled model's graphs. */
export type CompiledFiles = {
  folder: string;
  form: GraphForm;
  features: string;
  encoder: string;
  decoder: string;
  /** What `steps` has beside its decoder, which holds the unrolled rounds. */
  prompt: string;
  single: string;
  append: string;
  select: string;
  read: string;
  /** What `whole` has beside the steps. */
  whole: string;
  alignment: string | undefined;
};

type Arithmetics = { encoder: Arithmetic; decoder: Arithmetic; cross: CrossForm };

/**
 * What arithmetic a precision stands for: whole windows go through the encoder, a few rows through the decoder. Keys and
 * values of the audio are bytes only where products of unsigned and signed ones are exact.
 */
async function arithmeticOf({ precision, form, signedWeights }: CompileOptions): Promise<Arithmetics> {
  if (precision !== "int8") return { encoder: precision, decoder: precision, cross: "fp32" };
  if (form !== undefined && form !== "loop")
    throw new SpeechError("invalid_option", "8 bit graphs are written for the processor");
  const signed = signedWeights ?? (await hasSignedProducts());
  return { encoder: signed ? "rows" : "rows-unsigned", decoder: "blocks", cross: signed ? "bytes" : "fp32" };
}

const MANIFEST = "compiled.json";
/** A folder that a process left behind half written is swept after this time. */
const STALE_MS = 6 * 3600_000;

/**
 * Compiles a model's safetensors into graphs, or finds them in the cache. The cache's key holds all that decides the
 * graphs; a folder appears there at once and whole, by a rename, so that processes may race. Throws `invalid_model` or
 * `model_unavailable`.
 */
export async function compileModel(model: ModelFolder, options: CompileOptions): Promise<CompiledFiles> {
  const { modelHash, alignmentHeads, cacheFolder, signal } = options;
  const { form = "loop" } = options;
  const arithmetic = await arithmeticOf(options);
  const key = createHash("sha256")
    .update(JSON.stringify([COMPILER_VERSION, modelHash, form, arithmetic, alignmentHeads]))
    .digest("hex")
    .slice(0, 32);
  const folder = join(cacheFolder, key);
  const files = filesIn(folder, form, alignmentHeads.length > 0);
  if (await isWhole(folder)) return files;
  signal?.throwIfAborted();

  await mkdir(cacheFolder, { recursive: true });
  await sweep(cacheFolder);
  const work = join(cacheFolder, `${key}.${process.pid}.${randomUUID().slice(0, 8)}.tmp`);
  await mkdir(work);
  try {
    await writeGraphs(model, work, options, arithmetic);
    signal?.throwIfAborted();
    await writeManifest(work);
    await putInPlace(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return files;
}

/** Where the graphs of a compiled model lie; nothing is looked for. */
export function filesIn(folder: string, form: GraphForm, aligns: boolean): CompiledFiles {
  const of = (name: string) => join(folder, `${name}.onnx`);
  return {
    ...{ folder, form, features: of("features"), encoder: of("encoder"), decoder: of("decoder") },
    ...{
      prompt: of("prompt"),
      single: of("single"),
      append: of("append"),
      select: of("select"),
      read: of("read"),
      whole: of("whole"),
    },
    alignment: aligns ? of("alignment") : undefined,
  };
}

type Builders = Record<string, (g: GraphBuilder, weights: NetworkWeights) => void>;

async function writeGraphs(model: ModelFolder, folder: string, options: CompileOptions, arithmetic: Arithmetics) {
  const { form = "loop" } = options;
  const { config, special, windowFrames } = model;
  const { encoder, decoder, cross } = arithmetic;
  const vocabulary = {
    size: config.vocab_size,
    endOfText: special.endOfText,
    noTimestamps: special.noTimestamps,
    firstTimestamp: special.firstTimestamp,
    timestampCount: special.timestampCount,
  };
  const heads = options.alignmentHeads;
  for (const [layer, head] of heads) {
    if (layer >= config.decoder_layers || head >= config.decoder_attention_heads) {
      throw new SpeechError("invalid_model", `generation_config.json: there is no alignment head [${layer}, ${head}]`);
    }
  }
  const decoding = { arithmetic: decoder, vocabulary, cross };
  const loop: Builders = { decoder: (g, weights) => buildDecoder(g, weights, decoding) };
  const steps: Builders = {
    decoder: (g, weights) => buildSteps(g, weights, decoding),
    prompt: (g, weights) => buildPrompt(g, weights, decoding),
    single: (g, weights) => buildSingle(g, weights, decoding),
    append: (g, weights) => buildArrangement(g, weights, "append"),
    select: (g, weights) => buildArrangement(g, weights, "select"),
    read: buildRead,
  };
  const { noSpeech } = special;
  const whole: Builders = {
    ...steps,
    whole: (g, weights) => buildWhole(g, weights, { ...decoding, windowFrames, noSpeech }),
  };
  // The processor aligns for every provider.
  const aligning = { ...decoding, arithmetic: decoder === "fp16" ? ("fp32" as const) : decoder, heads };
  const builders: Builders = {
    features: (g) => buildFeatures(g, model.features, model.windowSamples),
    encoder: (g, weights) => buildEncoder(g, weights, { arithmetic: encoder, windowFrames, cross }),
    ...{ loop, steps, whole }[form],
    ...(heads.length > 0 && { alignment: (g, weights) => buildAlignment(g, weights, aligning) }),
  };
  const tensors = openSafetensors(model.folder);
  const file = new WeightFile(join(folder, "weights.bin"));
  try {
    const weights = new NetworkWeights(config, tensors, options.precision === "int8");
    for (const [name, build] of Object.entries(builders)) {
      options.signal?.throwIfAborted();
      const graph = new GraphBuilder(file, undefined, "", form === "loop" ? undefined : PORTABLE_OPSET);
      build(graph, weights);
      await writeFile(join(folder, `${name}.onnx`), graph.toBytes());
    }
  } finally {
    file.close();
    tensors.close();
  }
}

/** Sizes of all files, written last: a folder without it, or with other sizes, is not whole. */
async function writeManifest(folder: string) {
  await writeFile(join(folder, MANIFEST), JSON.stringify(await sizes(folder)));
}

async function isWhole(folder: string): Promise<boolean> {
  try {
    const manifest = await readFile(join(folder, MANIFEST), "utf8");
    return manifest === JSON.stringify(await sizes(folder));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

async function sizes(folder: string): Promise<[string, number][]> {
  const names = (await readdir(folder)).filter((name) => name !== MANIFEST).sort();
  return Promise.all(names.map(async (name) => [name, (await stat(join(folder, name))).size] as [string, number]));
}

async function putInPlace(work: string, folder: string) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await rename(work, folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== "ENOTEMPTY" && code !== "EEXIST") || attempt > 2) throw error;
      // Another process was faster, or what lies there is damaged.
      if (await isWhole(folder)) return;
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function sweep(cacheFolder: string) {
  for (const name of await readdir(cacheFolder)) {
    if (!name.endsWith(".tmp")) continue;
    const path = join(cacheFolder, name);
    const entry = await stat(path).catch(() => undefined);
    if (entry && Date.now() - entry.mtimeMs > STALE_MS) await rm(path, { recursive: true, force: true });
  }
}
