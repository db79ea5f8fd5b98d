import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { ModelFolder } from "@scribe/speech/parts";
import { END_OF_TEXT, FIRST_TIMESTAMP, MEL_BINS, POSITIONS, type Shape, TEXT_POSITIONS, VOCABULARY } from "./shapes.ts";

/**
 * Writes `model.safetensors` (F16, by transformers' names) of a Whisper of a published size with random weights, the same
 * every time, and answers the model as a folder would describe it. Its time is a real model's, its text is none.
 */
export function writeRandomModel(folder: string, shape: Shape): ModelFolder {
  const tensors = tensorsOf(shape);
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const { name, dims } of tensors) {
    const bytes = 2 * dims.reduce((a, b) => a * b);
    header[`model.${name}`] = { dtype: "F16", shape: dims, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const descriptor = openSync(join(folder, "model.safetensors"), "w");
  try {
    writeSync(descriptor, length);
    writeSync(descriptor, json);
    const pool = randomPool();
    for (const [i, { dims, centre, scale }] of tensors.entries()) {
      const count = dims.reduce((a, b) => a * b);
      if (centre !== 0 || count < pool.length) {
        const values = Float16Array.from(
          { length: count },
          (_, k) => centre + scale * pool[(k + 977 * i) % pool.length]!,
        );
        writeSync(descriptor, Buffer.from(values.buffer));
      } else {
        // Large matrices repeat the pool: no speed depends on which numbers they hold.
        const scaled = Buffer.from(Float16Array.from(pool, (value) => scale * value).buffer);
        for (let left = 2 * count; left > 0; left -= scaled.length) {
          writeSync(descriptor, scaled.subarray(0, Math.min(left, scaled.length)));
        }
      }
    }
  } finally {
    closeSync(descriptor);
  }
  return describeRandomModel(folder, shape);
}

type TensorPlan = { name: string; dims: number[]; centre: number; scale: number };

function tensorsOf({ width, layers, decoderLayers = layers, melBins = MEL_BINS }: Shape): TensorPlan[] {
  const tensors: TensorPlan[] = [];
  const add = (name: string, dims: number[], scale: number, centre = 0) => tensors.push({ name, dims, scale, centre });
  const norm = (name: string) => {
    add(`${name}.weight`, [width], 0.1, 1);
    add(`${name}.bias`, [width], 0.1);
  };
  const linear = (name: string, outputs: number, inputs: number) => {
    add(`${name}.weight`, [outputs, inputs], 1 / Math.sqrt(inputs));
    if (!name.endsWith("k_proj")) add(`${name}.bias`, [outputs], 0.02);
  };
  add("encoder.conv1.weight", [width, melBins, 3], 0.1);
  add("encoder.conv1.bias", [width], 0.02);
  add("encoder.conv2.weight", [width, width, 3], 0.05);
  add("encoder.conv2.bias", [width], 0.02);
  add("encoder.embed_positions.weight", [POSITIONS, width], 0.1);
  add("decoder.embed_positions.weight", [TEXT_POSITIONS, width], 0.1);
  add("decoder.embed_tokens.weight", [VOCABULARY, width], 0.1);
  for (const side of ["encoder", "decoder"]) {
    norm(`${side}.layer_norm`);
    for (let i = 0; i < (side === "encoder" ? layers : decoderLayers); i++) {
      const prefix = `${side}.layers.${i}`;
      for (const attention of side === "encoder" ? ["self_attn"] : ["self_attn", "encoder_attn"]) {
        norm(`${prefix}.${attention}_layer_norm`);
        for (const part of ["q_proj", "k_proj", "v_proj", "out_proj"]) {
          linear(`${prefix}.${attention}.${part}`, width, width);
        }
      }
      norm(`${prefix}.final_layer_norm`);
      linear(`${prefix}.fc1`, 4 * width, width);
      linear(`${prefix}.fc2`, width, 4 * width);
    }
  }
  return tensors;
}

/** Uniform numbers between −1.7 and 1.7 (variance 1), of a generator that anyone can write again. */
function randomPool(): Float32Array {
  let state = 1;
  return Float32Array.from({ length: 1_000_003 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state / 0x7fff_ffff - 0.5) * 3.46;
  });
}

/** The model that `writeRandomModel` has put into `folder`. */
export function describeRandomModel(folder: string, shape: Shape): ModelFolder {
  const { width, heads, layers, decoderLayers = layers, melBins = MEL_BINS } = shape;
  const special = {
    startOfTranscript: END_OF_TEXT + 1,
    endOfText: END_OF_TEXT,
    startOfPrevious: FIRST_TIMESTAMP - 3,
    noTimestamps: FIRST_TIMESTAMP - 1,
    firstTimestamp: FIRST_TIMESTAMP,
    timestampCount: POSITIONS + 1,
    languages: new Map(),
    control: [],
  };
  const unused = { tokenizer: undefined };
  return {
    ...(unused as unknown as Pick<ModelFolder, "tokenizer">),
    folder,
    config: {
      model_type: "whisper",
      d_model: width,
      encoder_layers: layers,
      decoder_layers: decoderLayers,
      encoder_attention_heads: heads,
      decoder_attention_heads: heads,
      num_mel_bins: melBins,
      max_source_positions: POSITIONS,
      max_target_positions: TEXT_POSITIONS,
      vocab_size: VOCABULARY,
      median_filter_width: 7,
    },
    generation: {},
    features: { melBins, fftSize: 400, hopSize: 160, sampleRate: 16_000 },
    windowFrames: 2 * POSITIONS,
    windowSamples: 480_000,
    framesPerTimestamp: 2,
    secondsPerTimestamp: 0.02,
    special,
    suppressTokens: [],
    beginSuppressTokens: [],
  };
}
