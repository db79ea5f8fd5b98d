import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHARACTER_OF_BYTE } from "../../src/tokenizer/byte-alphabet.ts";
import { randomFrom } from "../../src/whisper/random.ts";
import { OnnxWriter } from "./onnx-writer.ts";

export type RandomShape = {
  width: number;
  heads: number;
  encoderLayers: number;
  decoderLayers: number;
  melBins: number;
  windowSeconds: number;
  /** Empty: English only. */
  languages: string[];
  /** Whether the decoder shows where it looks. */
  attentions: boolean;
  seed: string;
};

export const SMALL_SHAPE: RandomShape = {
  width: 16,
  heads: 2,
  encoderLayers: 1,
  decoderLayers: 1,
  melBins: 80,
  windowSeconds: 30,
  languages: [],
  attentions: true,
  seed: "small",
};

const CONTEXT = 64;

/** Writes a model folder of any shape with random weights, in the hub's layout, with the names of its exports. */
export async function writeRandomModel(folder: string, shape: RandomShape): Promise<void> {
  const random = randomFrom(shape.seed);
  const positions = shape.windowSeconds * 50;
  const vocab = Object.fromEntries(CHARACTER_OF_BYTE.map((character, id) => [character, id]));
  const merges = [
    ["t", "h"],
    ["th", "e"],
    ["Ġ", "the"],
  ];
  for (const [left, right] of merges) vocab[left + right] = Object.keys(vocab).length;
  const names = [
    "endoftext",
    "startoftranscript",
    ...(shape.languages.length > 0 ? shape.languages : ["en"]),
    "translate",
    "transcribe",
    "startoflm",
    "startofprev",
    "nospeech",
    "notimestamps",
    ...Array.from({ length: positions + 1 }, (_, i) => (i * 0.02).toFixed(2)),
  ].map((name) => `<|${name}|>`);
  const added = names.map((content, i) => ({ id: Object.keys(vocab).length + i, content }));
  const idOf = (name: string) => added.find(({ content }) => content === `<|${name}|>`)?.id ?? -1;
  const vocabularySize = Object.keys(vocab).length + added.length;

  await mkdir(join(folder, "onnx"), { recursive: true });
  const json = (name: string, value: unknown) => writeFile(join(folder, name), JSON.stringify(value));
  await json("config.json", {
    model_type: "whisper",
    d_model: shape.width,
    encoder_layers: shape.encoderLayers,
    decoder_layers: shape.decoderLayers,
    encoder_attention_heads: shape.heads,
    decoder_attention_heads: shape.heads,
    num_mel_bins: shape.melBins,
    max_source_positions: positions,
    max_target_positions: CONTEXT,
    vocab_size: vocabularySize,
  });
  await json("generation_config.json", {
    is_multilingual: shape.languages.length > 0,
    suppress_tokens: [0, 1],
    begin_suppress_tokens: [32],
    max_initial_timestamp_index: 50,
    ...(shape.languages.length > 0 && {
      lang_to_id: Object.fromEntries(shape.languages.map((code) => [`<|${code}|>`, idOf(code)])),
    }),
  });
  await json("preprocessor_config.json", {
    feature_size: shape.melBins,
    hop_length: 160,
    n_fft: 400,
    sampling_rate: 16000,
    chunk_length: shape.windowSeconds,
  });
  await json("tokenizer.json", { added_tokens: added, model: { type: "BPE", vocab, merges } });
  await writeFile(join(folder, "onnx", "encoder_model.onnx"), encoder(shape, positions, random));
  await writeFile(
    join(folder, "onnx", "decoder_model_merged.onnx"),
    decoder(shape, vocabularySize, idOf("endoftext"), random),
  );
}

function normal(graph: OnnxWriter, random: () => number, dims: number[], scale: number): string {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const draw = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return graph.floats(
    Float32Array.from({ length: size }, () => draw() * scale),
    dims,
  );
}

function encoder(shape: RandomShape, positions: number, random: () => number): Uint8Array {
  const graph = new OnnxWriter();
  const { width, melBins } = shape;
  const mel = graph.input("input_features", "float", ["batch_size", melBins, 2 * positions]);
  const first = graph.op("Conv", [mel, normal(graph, random, [width, melBins, 3], 0.2)], {
    kernel_shape: [3],
    pads: [1, 1],
  });
  const second = graph.op("Conv", [graph.op("Tanh", [first]), normal(graph, random, [width, width, 3], 0.3)], {
    kernel_shape: [3],
    pads: [1, 1],
    strides: [2],
  });
  let hidden = graph.op("Transpose", [graph.op("Tanh", [second])], { perm: [0, 2, 1] });
  hidden = graph.op("Add", [hidden, normal(graph, random, [positions, width], 0.5)]);
  for (let layer = 0; layer < shape.encoderLayers; layer++) hidden = feedForward(graph, hidden, width, random);
  graph.output("last_hidden_state", layerNorm(graph, hidden, width), "float", ["batch_size", positions, width]);
  return graph.encode();
}

function decoder(shape: RandomShape, vocabulary: number, endOfText: number, random: () => number): Uint8Array {
  const { width, heads } = shape;
  const headSize = width / heads;
  const graph = new OnnxWriter();
  const ids = graph.input("input_ids", "int64", ["batch_size", "length"]);
  const audio = graph.input("encoder_hidden_states", "float", ["batch_size", "positions", width]);
  const kv = ["batch_size", heads, "some_length", headSize];
  const pasts = Array.from({ length: shape.decoderLayers }, (_, layer) =>
    ["decoder.key", "decoder.value", "encoder.key", "encoder.value"].map((name) =>
      graph.input(`past_key_values.${layer}.${name}`, "float", kv),
    ),
  );
  const useCache = graph.input("use_cache_branch", "bool", [1]);

  const pastLength = graph.op("Gather", [graph.op("Shape", [pasts[0][0]]), graph.ints([2])]);
  const length = graph.op("Gather", [graph.op("Shape", [ids]), graph.ints([1])]);
  const total = graph.op("Add", [pastLength, length]);
  const scalar = (value: string) => graph.op("Squeeze", [value]);
  const one = graph.ints([1], []);
  const queryAt = graph.op("Range", [scalar(pastLength), scalar(total), one]);
  const keyAt = graph.op("Range", [graph.ints([0], []), scalar(total), one]);
  const later = graph.op("Greater", [
    graph.op("Unsqueeze", [keyAt, graph.ints([0])]),
    graph.op("Unsqueeze", [queryAt, graph.ints([1])]),
  ]);
  const mask = graph.op("Mul", [graph.op("Cast", [later], { to: 1 }), graph.floats([-1e9], [])]);

  const embedding = normal(graph, random, [vocabulary, width], 1);
  let hidden = graph.op("Add", [
    graph.op("Gather", [embedding, ids]),
    graph.op("Gather", [normal(graph, random, [CONTEXT, width], 1), queryAt]),
  ]);
  const toHeads = (on: OnnxWriter, value: string) =>
    on.op("Transpose", [on.op("Reshape", [value, on.ints([0, -1, heads, headSize])])], { perm: [0, 2, 1, 3] });
  const weight = (on: OnnxWriter) => normal(on, random, [width, width], 1 / Math.sqrt(width));
  const attend = (query: string, key: string, value: string, masked: boolean) => {
    const raw = graph.op("MatMul", [query, graph.op("Transpose", [key], { perm: [0, 1, 3, 2] })]);
    const scores = masked ? graph.op("Add", [raw, mask]) : raw;
    const weights = graph.op("Softmax", [scores], { axis: -1 });
    const mixed = graph.op("Transpose", [graph.op("MatMul", [weights, value])], { perm: [0, 2, 1, 3] });
    return { weights, mixed: graph.op("Reshape", [mixed, graph.ints([0, -1, width])]) };
  };

  for (let layer = 0; layer < shape.decoderLayers; layer++) {
    const [pastKey, pastValue, crossKey, crossValue] = pasts[layer];
    const normed = layerNorm(graph, hidden, width);
    const project = () => toHeads(graph, graph.op("MatMul", [normed, weight(graph)]));
    const key = graph.op("Concat", [pastKey, project()], { axis: 2 });
    const value = graph.op("Concat", [pastValue, project()], { axis: 2 });
    hidden = graph.op("Add", [hidden, attend(project(), key, value, true).mixed]);

    // As in the merged exports: cross-attention's keys and values are made in one branch and passed in for the other.
    const cached = new OnnxWriter(`cached_${layer}_`);
    cached.output(`cached_${layer}_key`, crossKey, "float", kv);
    cached.output(`cached_${layer}_value`, crossValue, "float", kv);
    const fresh = new OnnxWriter(`fresh_${layer}_`);
    fresh.output(`fresh_${layer}_key`, toHeads(fresh, fresh.op("MatMul", [audio, weight(fresh)])), "float", kv);
    fresh.output(`fresh_${layer}_value`, toHeads(fresh, fresh.op("MatMul", [audio, weight(fresh)])), "float", kv);
    const [usedKey, usedValue] = graph.ops("If", [useCache], { then_branch: cached, else_branch: fresh }, 2);
    const query = toHeads(graph, graph.op("MatMul", [layerNorm(graph, hidden, width), weight(graph)]));
    const cross = attend(query, usedKey, usedValue, false);
    hidden = feedForward(graph, graph.op("Add", [hidden, cross.mixed]), width, random);

    graph.output(`present.${layer}.decoder.key`, key, "float", kv);
    graph.output(`present.${layer}.decoder.value`, value, "float", kv);
    graph.output(`present.${layer}.encoder.key`, usedKey, "float", kv);
    graph.output(`present.${layer}.encoder.value`, usedValue, "float", kv);
    if (shape.attentions) {
      const dims = ["batch_size", heads, "length", "positions"];
      graph.output(`cross_attentions.${layer}`, cross.weights, "float", dims);
    }
  }
  const bias = new Float32Array(vocabulary);
  // Texts of random networks would hardly ever end.
  bias[endOfText] = 3;
  const logits = graph.op("Add", [
    graph.op("MatMul", [layerNorm(graph, hidden, width), graph.op("Transpose", [embedding], { perm: [1, 0] })]),
    graph.floats(bias, [vocabulary]),
  ]);
  graph.output("logits", logits, "float", ["batch_size", "length", vocabulary]);
  return graph.encode();
}

function layerNorm(graph: OnnxWriter, value: string, width: number): string {
  const ones = graph.floats(new Float32Array(width).fill(1), [width]);
  return graph.op("LayerNormalization", [value, ones], { axis: -1 });
}

function feedForward(graph: OnnxWriter, value: string, width: number, random: () => number): string {
  const wide = graph.op("MatMul", [layerNorm(graph, value, width), normal(graph, random, [width, 4 * width], 0.3)]);
  const back = graph.op("MatMul", [graph.op("Tanh", [wide]), normal(graph, random, [4 * width, width], 0.3)]);
  return graph.op("Add", [value, back]);
}
