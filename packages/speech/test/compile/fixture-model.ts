import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelFolder } from "../../src/model/read-model-folder.ts";

type TensorEntry = { shape: number[]; values: Float32Array };

type RandomModelOptions = {
  /** Tokens of text. */
  text?: number;
  /** Changes the tensors, by their names in the file, before they are written. */
  change?: (tensors: Map<string, TensorEntry>) => void;
};

/** A Whisper of a few thousand random weights: small enough to compile and run in milliseconds. */
export function randomModel(
  folder: string,
  seed = 1,
  { text = 40, change = () => {} }: RandomModelOptions = {},
): ModelFolder {
  const config = {
    model_type: "whisper" as const,
    d_model: 32,
    encoder_layers: 2,
    decoder_layers: 2,
    encoder_attention_heads: 2,
    decoder_attention_heads: 2,
    num_mel_bins: 8,
    max_source_positions: 10,
    max_target_positions: 32,
    vocab_size: text + 24,
    median_filter_width: 7,
  };
  const tensors = randomTensors(config, seed);
  change(tensors);
  writeSafetensors(join(folder, "model.safetensors"), tensors);
  const special = {
    ...{ endOfText: text, startOfTranscript: text + 1, startOfPrevious: text + 2 },
    ...{ noTimestamps: text + 3, firstTimestamp: text + 4 },
  };
  return {
    folder,
    config,
    generation: {},
    features: { melBins: 8, fftSize: 400, hopSize: 160, sampleRate: 16000 },
    windowFrames: 20,
    windowSamples: 3200,
    framesPerTimestamp: 2,
    secondsPerTimestamp: 0.02,
    special: { ...special, timestampCount: 11, languages: new Map(), control: [text + 1, text + 2] },
    suppressTokens: [],
    beginSuppressTokens: [],
  } as unknown as ModelFolder;
}

function randomTensors(config: ModelFolder["config"], seed: number): Map<string, TensorEntry> {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff - 0.5;
  };
  const tensors = new Map<string, TensorEntry>();
  const add = (name: string, shape: number[], scale = 0.5, centre = 0) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => centre + scale * random());
    tensors.set(`model.${name}`, { shape, values });
  };
  const { d_model: width, num_mel_bins, max_source_positions, max_target_positions, vocab_size } = config;
  const norm = (name: string) => {
    add(`${name}.weight`, [width], 0.2, 1);
    add(`${name}.bias`, [width], 0.2);
  };
  const linear = (name: string, outputs: number, inputs: number) => {
    add(`${name}.weight`, [outputs, inputs]);
    if (!name.endsWith("k_proj")) add(`${name}.bias`, [outputs]);
  };
  add("encoder.conv1.weight", [width, num_mel_bins, 3]);
  add("encoder.conv1.bias", [width]);
  add("encoder.conv2.weight", [width, width, 3]);
  add("encoder.conv2.bias", [width]);
  add("encoder.embed_positions.weight", [max_source_positions, width]);
  add("decoder.embed_positions.weight", [max_target_positions, width]);
  add("decoder.embed_tokens.weight", [vocab_size, width], 1);
  for (const side of ["encoder", "decoder"]) {
    norm(`${side}.layer_norm`);
    const layers = side === "encoder" ? config.encoder_layers : config.decoder_layers;
    for (let i = 0; i < layers; i++) {
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

export function writeSafetensors(path: string, tensors: ReadonlyMap<string, TensorEntry>) {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const [name, { shape, values }] of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const data = [...tensors.values()].map(({ values }) => Buffer.from(values.buffer));
  writeFileSync(path, Buffer.concat([length, json, ...data]));
}
