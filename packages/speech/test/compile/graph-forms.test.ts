import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import proto from "onnx-proto";
import { type CompileOptions, compileModel, type GraphForm, type Precision } from "../../src/compile/compile-model.ts";
import { CompiledModel } from "../../src/compile/compiled-model.ts";
import { compare } from "../../src/compile/judge-int8.ts";
import { type ModelFolder, readModelFolder } from "../../src/model/read-model-folder.ts";
import { SharedModel } from "../../src/runtime/shared-model.ts";
import { chooseBest, sampleAt } from "../../src/whisper/choose-token.ts";
import { suppress, suppressAtBegin, timestampRules } from "../../src/whisper/logits-rules.ts";
import { randomFrom } from "../../src/whisper/random.ts";
import type { DecodeRequest, RawText } from "../../src/whisper/window-decoder.ts";
import { NANO, PARK } from "../build/samples.ts";
import { randomModel } from "./fixture-model.ts";
import { melsOf } from "./hear-windows.ts";

const never = new AbortController().signal;
const CPU = { executionProviders: ["cpu"], intraOpThreads: 2 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "forms-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function open(model: ModelFolder, form: GraphForm, precision: Precision = "fp32") {
  const options: CompileOptions = {
    modelHash: "hash",
    precision,
    form,
    alignmentHeads: [],
    cacheFolder: join(folder, "cache"),
  };
  return CompiledModel.open(model, await compileModel(model, options), [], CPU);
}

function speech(): Float32Array {
  const bytes = readFileSync(PARK);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
}

/** What the engine asks for a window, with the model's own rules; the first token of prompts may stand anywhere. */
function requestOf(model: ModelFolder, before: number, more: Partial<DecodeRequest> = {}): DecodeRequest {
  const { special, config, suppressTokens, beginSuppressTokens, generation } = model;
  const bias = new Float32Array(config.vocab_size);
  for (const id of suppressTokens) bias[id] = Number.NEGATIVE_INFINITY;
  const maximumInitialIndex = generation.max_initial_timestamp_index ?? 50;
  const previous = Array.from({ length: before }, (_, i) => (i * 7) % special.endOfText);
  return {
    prompt: [...(before > 0 ? [special.startOfPrevious, ...previous] : []), special.startOfTranscript],
    startPosition: before > 0 ? before + 1 : 0,
    rules: [
      suppress(suppressTokens),
      suppressAtBegin(beginSuppressTokens),
      timestampRules({ ...special, maximumInitialIndex }),
    ],
    ...{ inGraph: { suppress: bias }, choose: () => chooseBest, maximumTokens: 24 },
    ...{ endOfText: special.endOfText, noSpeech: special.noSpeech },
    ...more,
  };
}

/** Windows that are heard at the same time, each with a prompt of another length. */
async function hear(network: CompiledModel, mels: readonly Float32Array[], requests: readonly DecodeRequest[]) {
  const lane = new SharedModel(network).lane("a");
  return Promise.all(
    mels.map(async (mel, i) => {
      const window = await lane.encode(async () => mel, never);
      const text = await lane.decode(window, requests[i], never);
      window.release();
      return text;
    }),
  );
}

const near = (texts: readonly RawText[], digits = 3) =>
  texts.map(({ tokens, sumLogprob, noSpeechProbability, looped }) => ({
    ...{ tokens, looped, sumLogprob: expect.closeTo(sumLogprob, digits) },
    noSpeechProbability: expect.closeTo(noSpeechProbability, digits + 1),
  }));

describe("a small model", () => {
  const small = () => {
    const model = randomModel(folder);
    model.special.noSpeech = 42;
    return model;
  };

  test.each<GraphForm>(["steps", "whole"])(
    "says the same in %s as in the loop, whoever shares its runs",
    async (form) => {
      const model = small();
      const [loop, other] = [await open(model, "loop"), await open(model, form)];
      const mels = melsOf(11);
      const requests = mels.map((_, i) => requestOf(model, (i * 3) % 8, { maximumTokens: 5 + 2 * i }));
      const right = await hear(loop, mels, requests);
      expect(new Set(right.map(({ tokens }) => tokens.length)).size).toBeGreaterThan(3);
      expect(right.some(({ noSpeechProbability }) => noSpeechProbability > 0.001)).toBe(true);
      expect(await hear(other, mels, requests)).toEqual(near(right));
      for (const i of [0, 7]) expect(await hear(other, [mels[i]], [requests[i]])).toEqual(near([right[i]]));
      const reversed = await hear(other, mels.slice(0, 3).reverse(), requests.slice(0, 3).reverse());
      expect(reversed.reverse()).toEqual(near(right.slice(0, 3)));
      for (const network of [loop, other]) await network.close();
    },
  );

  test("leaves whoever samples, searches or stops a loop what the loop gives", async () => {
    const model = small();
    const [loop, whole] = [await open(model, "loop"), await open(model, "whole")];
    const mels = melsOf(4);
    const sampled = mels.map((_, i) =>
      requestOf(model, i, { inGraph: undefined, choose: () => sampleAt(0.8, randomFrom(`${i}`)) }),
    );
    expect(await hear(whole, mels, sampled)).toEqual(near(await hear(loop, mels, sampled)));
    const rounds = mels.map((_, i) => requestOf(model, i, { isLoop: (tokens) => tokens.length >= 16 }));
    const stopped = await hear(whole, mels, rounds);
    expect(stopped.some(({ looped }) => looped)).toBe(true);
    expect(stopped).toEqual(near(await hear(loop, mels, rounds)));
    const search = async (network: CompiledModel) => {
      const lane = new SharedModel(network).lane("a");
      const window = await lane.encode(async () => mels[0], never);
      return lane.search(window, requestOf(model, 2), { beams: 3, patience: 1, lengthPenalty: null }, never);
    };
    expect(await search(whole)).toEqual(near([await search(loop)])[0]);
    await expect(hear(whole, [mels[0]], [requestOf(model, 40)])).rejects.toThrow("the prompt is too long");
    for (const network of [loop, whole]) await network.close();
  });

  test("has no 8 bit graphs but for the processor", async () => {
    const model = small();
    for (const form of ["steps", "whole"] as const) await expect(open(model, form, "int8")).rejects.toThrow("8 bit");
  });
});

/** Operators that onnxruntime has a CUDA kernel of at version 18, for the types that the graphs give them. */
const ON_CUDA: Record<string, readonly string[]> = {
  "": [
    ...["Add", "Cast", "Concat", "Conv", "Div", "Equal", "Exp", "Gather", "Greater", "GreaterOrEqual", "Identity"],
    ...["LayerNormalization", "Less", "Log", "Loop", "MatMul", "Mul", "Not", "Pad", "ReduceMax", "ReduceMin"],
    ...["ReduceSum", "Reshape", "Softmax", "Split", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where"],
  ],
  "com.microsoft": ["BiasGelu", "Gelu", "MultiHeadAttention", "SkipLayerNormalization"],
};

test.each<Precision>(["fp32", "fp16"])(
  "the graph for CUDA in %s has no node that would fall back",
  async (precision) => {
    const model = randomModel(folder);
    const files = await compileModel(model, {
      modelHash: "hash",
      precision,
      form: "whole",
      alignmentHeads: [],
      cacheFolder: folder,
    });
    const { graph, opsetImport } = proto.onnx.ModelProto.decode(readFileSync(files.whole));
    expect(Number(opsetImport?.find(({ domain }) => domain === "")?.version)).toBe(18);
    const nodesOf = (of: proto.onnx.IGraphProto): proto.onnx.INodeProto[] =>
      (of.node ?? []).flatMap((node) => [node, ...(node.attribute ?? []).flatMap(({ g }) => (g ? nodesOf(g) : []))]);
    const nodes = nodesOf(graph ?? {});
    expect(nodes.length).toBeGreaterThan(200);
    const others = nodes.filter(({ opType, domain }) => !ON_CUDA[domain ?? ""]?.includes(opType ?? ""));
    expect(others.map(({ opType, domain }) => `${domain} ${opType}`)).toEqual([]);
  },
);

describe("the bundled model", () => {
  /** Pieces of speech that begin at different places, as features. */
  async function pieces(model: ModelFolder, network: CompiledModel, count: number) {
    const all = speech();
    const mels: Float32Array[] = [];
    for (let i = 0; i < count; i++) {
      const samples = new Float32Array(model.windowSamples);
      samples.set(all.subarray(i * 9000));
      mels.push(await network.features(samples, 1));
    }
    return mels;
  }

  test("says the same in the loop, in steps and in one run", async () => {
    const model = await readModelFolder(NANO);
    const loop = await open(model, "loop");
    const mels = await pieces(model, loop, 2);
    const requests = mels.map((_, i) => requestOf(model, 3 * i, { maximumTokens: 200 }));
    const right = await hear(loop, mels, requests);
    expect(model.tokenizer.decode(right[0].tokens)).toMatch(/coffee/);
    await loop.close();
    for (const form of ["steps", "whole"] as const) {
      const other = await open(model, form);
      expect(await hear(other, mels, requests)).toEqual(near(right));
      await other.close();
    }
  });

  test("in 16 bit chooses what it chooses in 32", async () => {
    const model = await readModelFolder(NANO);
    const [right, halves] = [await open(model, "loop"), await open(model, "steps", "fp16")];
    const judgement = await compare(model, right, halves, speech().subarray(0, 4 * 16_000));
    expect(judgement.steps).toBeGreaterThan(20);
    expect(judgement.agreement).toBeGreaterThanOrEqual(0.99);
    for (const network of [right, halves]) await network.close();
  });
});
