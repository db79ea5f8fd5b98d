import { closeSync, openSync, writeSync } from "node:fs";
import { type ModelFolder, melFilters, openSafetensors } from "@scribe/speech/parts";

/** How matrices are held in a ggml file. */
export type GgmlType = "f16" | "q8_0" | "q5_0" | "q4_0";

const MAGIC = 0x67676d6c;
/** Numbers of the format: of a file, and of a tensor in it. */
const FILE_TYPE: Record<GgmlType, number> = { f16: 1, q4_0: 2, q8_0: 7, q5_0: 8 };
const TENSOR_TYPE: Record<GgmlType | "f32", number> = { f32: 0, f16: 1, q4_0: 2, q5_0: 6, q8_0: 8 };
/** Quantized files name the version of the quantization, too. */
const QUANTIZATION_VERSION = 2 * 1000;
/** Weights of a block that share a scale. */
const BLOCK = 32;

/**
 * Writes a model's safetensors as the ggml file that whisper.cpp reads: the header, mel filters, the tokens below the end
 * of text as bytes, then the tensors by OpenAI's names. `tokens` gives the bytes of each token.
 */
export function writeGgml(model: ModelFolder, path: string, type: GgmlType, tokens: readonly Uint8Array[]) {
  const { config, features } = model;
  const out = openSync(path, "w");
  const tensors = openSafetensors(model.folder);
  const ints = (...values: number[]) => writeSync(out, Buffer.from(Int32Array.from(values).buffer));
  try {
    ints(MAGIC, config.vocab_size, config.max_source_positions, config.d_model, config.encoder_attention_heads);
    ints(config.encoder_layers, config.max_target_positions, config.d_model, config.decoder_attention_heads);
    ints(config.decoder_layers, config.num_mel_bins, FILE_TYPE[type] + (type === "f16" ? 0 : QUANTIZATION_VERSION));
    const bins = features.fftSize / 2 + 1;
    const filters = new Float32Array(features.melBins * bins);
    for (const [row, { first, weights }] of melFilters(
      features.melBins,
      features.fftSize,
      features.sampleRate,
    ).entries()) {
      filters.set(weights, row * bins + first);
    }
    ints(features.melBins, bins);
    writeSync(out, bytesOf(filters));
    ints(tokens.length);
    for (const token of tokens) {
      ints(token.length);
      writeSync(out, token);
    }
    for (const [theirs, ours] of namesOf(config.encoder_layers, config.decoder_layers)) {
      if (!tensors.has(`model.${ours}`)) continue;
      const shape = tensors.shape(`model.${ours}`);
      const values = tensors.read(`model.${ours}`, shape);
      // A convolution's bias is a column to whisper.cpp.
      const dims = /conv\d\.bias/.test(theirs) ? [1, shape[0]!] : shape.toReversed();
      const held = heldAs(theirs, shape, type);
      const name = Buffer.from(theirs);
      ints(dims.length, name.length, TENSOR_TYPE[held], ...dims);
      writeSync(out, name);
      writeSync(out, held === "f32" ? bytesOf(values) : held === "f16" ? halvesOf(values) : quantize(values, held));
    }
  } finally {
    tensors.close();
    closeSync(out);
  }
}

/** As whisper.cpp's own tools do: vectors and positions whole, convolutions in half precision, matrices as asked. */
function heldAs(name: string, shape: readonly number[], type: GgmlType): GgmlType | "f32" {
  if (shape.length < 2 || name.includes("positional_embedding")) return "f32";
  return shape.length === 3 ? "f16" : type;
}

/** Tensors by whisper.cpp's (OpenAI's) name and by transformers'. */
function namesOf(encoderLayers: number, decoderLayers: number): [string, string][] {
  const names: [string, string][] = [];
  const both = (theirs: string, ours: string) => {
    for (const part of ["weight", "bias"]) names.push([`${theirs}.${part}`, `${ours}.${part}`]);
  };
  names.push(["encoder.positional_embedding", "encoder.embed_positions.weight"]);
  names.push(["decoder.positional_embedding", "decoder.embed_positions.weight"]);
  names.push(["decoder.token_embedding.weight", "decoder.embed_tokens.weight"]);
  both("encoder.conv1", "encoder.conv1");
  both("encoder.conv2", "encoder.conv2");
  both("encoder.ln_post", "encoder.layer_norm");
  both("decoder.ln", "decoder.layer_norm");
  for (const [side, layers] of [
    ["encoder", encoderLayers],
    ["decoder", decoderLayers],
  ] as const) {
    for (let i = 0; i < layers; i++) {
      const [theirs, ours] = [`${side}.blocks.${i}`, `${side}.layers.${i}`];
      for (const [attention, name] of [
        ["attn", "self_attn"],
        ["cross_attn", "encoder_attn"],
      ] as const) {
        both(`${theirs}.${attention}_ln`, `${ours}.${name}_layer_norm`);
        for (const [part, projection] of Object.entries({ query: "q", key: "k", value: "v", out: "out" })) {
          both(`${theirs}.${attention}.${part}`, `${ours}.${name}.${projection}_proj`);
        }
      }
      both(`${theirs}.mlp_ln`, `${ours}.final_layer_norm`);
      both(`${theirs}.mlp.0`, `${ours}.fc1`);
      both(`${theirs}.mlp.2`, `${ours}.fc2`);
    }
  }
  return names;
}

/**
 * Blocks of 32 as the format describes them: a half-precision scale, then values. `q8_0` in bytes around zero; `q5_0` and
 * `q4_0` in 5 or 4 bits around 16 or 8, the two halves of a block side by side, the fifth bits in a word of their own.
 */
function quantize(values: Float32Array, type: Exclude<GgmlType, "f16">): Uint8Array {
  const size = { q8_0: 34, q5_0: 22, q4_0: 18 }[type];
  const blocks = values.length / BLOCK;
  const out = new Uint8Array(blocks * size);
  const view = new DataView(out.buffer);
  for (let block = 0; block < blocks; block++) {
    const from = block * BLOCK;
    const at = block * size;
    let extreme = 0;
    for (let i = 0; i < BLOCK; i++) if (Math.abs(values[from + i]!) > Math.abs(extreme)) extreme = values[from + i]!;
    if (type === "q8_0") {
      const scale = Math.abs(extreme) / 127;
      view.setFloat16(at, scale, true);
      for (let i = 0; i < BLOCK; i++) view.setInt8(at + 2 + i, scale ? Math.round(values[from + i]! / scale) : 0);
      continue;
    }
    const half = type === "q5_0" ? 16 : 8;
    const scale = extreme / -half;
    view.setFloat16(at, scale, true);
    const place = at + (type === "q5_0" ? 6 : 2);
    let fifth = 0;
    for (let i = 0; i < BLOCK; i++) {
      const raised = scale ? Math.trunc(values[from + i]! / scale + half + 0.5) : half;
      const level = Math.max(0, Math.min(2 * half - 1, raised));
      out[place + (i % 16)]! |= (level & 15) << (i < 16 ? 0 : 4);
      if (level & 16) fifth |= 1 << i;
    }
    if (type === "q5_0") view.setUint32(at + 2, fifth >>> 0, true);
  }
  return out;
}

const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

function halvesOf(values: Float32Array): Uint8Array {
  const halves = new Float16Array(values);
  return new Uint8Array(halves.buffer);
}
