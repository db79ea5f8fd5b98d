import { type CrossForm, crossShape, giveCross } from "./cross-attention.ts";
import { type GraphBuilder, MICROSOFT } from "./graph-builder.ts";
import { addAndNormalize, feedForward, normalize } from "./layer-parts.ts";
import type { NetworkWeights } from "./network-weights.ts";
import { type Arithmetic, bytes, type Linear, Projections, withProperties } from "./projection.ts";

export type EncoderOptions = {
  arithmetic: Arithmetic;
  /** Feature frames of a window. */
  windowFrames: number;
  /** How keys and values of the audio are held. */
  cross: CrossForm;
};

/**
 * The encoder with the decoder's cross-attention keys and values: `mel` `[batch, bins, frames]` → `hidden`
 * `[batch, positions, width]`, and each decoder layer's keys and values, as `cross` says.
 */
export function buildEncoder(g: GraphBuilder, weights: NetworkWeights, options: EncoderOptions) {
  const { config } = weights;
  const { d_model: width, num_mel_bins: bins, max_source_positions: positions } = config;
  const mel = g.input("mel", "float32", ["batch", bins, options.windowFrames]);
  const { hidden, cross } = encode(g, weights, options, mel);
  g.output("hidden", hidden, "float32", ["batch", positions, width]);
  for (const [layer, { key, value }] of cross.entries()) {
    giveCross(g, options.cross, crossShape(config), { layer, key, value, rows: "batch" });
  }
}

/** The nodes of the encoder: its hidden states, and each decoder layer's keys and values in fp32. */
export function encode(g: GraphBuilder, weights: NetworkWeights, options: Omit<EncoderOptions, "cross">, mel: string) {
  const { config } = weights;
  const { d_model: width, num_mel_bins: bins, max_source_positions: positions } = config;
  const multiply = new Projections(g, options.arithmetic);

  const stride = options.windowFrames / positions;
  let stream = convolve(g, weights, mel, "encoder.conv1", bins, 1);
  stream = convolve(g, weights, stream, "encoder.conv2", width, stride);
  stream = g.op("Transpose", [stream], { attributes: { perm: [0, 2, 1] } });
  const places = weights.tensor("encoder.embed_positions.weight", positions, width);
  stream = g.op("Add", [
    stream,
    g.weight("encoder.embed_positions", "float32", [positions, width], () => bytes(places)),
  ]);

  const last = weights.crossInputs();
  let layer = weights.encoderLayer(0);
  let normed = normalize(g, stream, layer.selfNorm);
  for (let i = 0; i < config.encoder_layers; i++) {
    const { query, key, value, out } = layer.self;
    // The attention adds the biases in passing.
    const parts = [query, key, value].map((linear) =>
      multiply.apply(normed, withProperties(linear, { bias: undefined })),
    );
    const bias = attentionBias(g, `encoder.layers.${i}.self_attn`, [query, key, value]);
    const mixed = g.op("MultiHeadAttention", [...parts, bias], {
      domain: MICROSOFT,
      attributes: { num_heads: { int: config.encoder_attention_heads } },
    });
    ({ normed, stream } = addAndNormalize(g, multiply.multiply(mixed, out), stream, layer.finalNorm));
    const fed = feedForward(g, multiply, normed, layer.up, layer.down);
    if (i + 1 < config.encoder_layers) layer = weights.encoderLayer(i + 1);
    const next = i + 1 < config.encoder_layers ? layer.selfNorm : last.norm;
    ({ normed, stream } = addAndNormalize(g, fed, stream, next));
  }
  const factors = g.weight("encoder.factors", "float32", [width], () => bytes(last.factors));
  const hidden = g.op("Mul", [normed, factors]);

  const heads = config.decoder_attention_heads;
  const dims = [0, positions, heads, width / heads];
  const byHead = last.linears.map((linear) => {
    const split = g.op("Reshape", [multiply.apply(normed, linear), g.ids(...dims)]);
    return g.op("Transpose", [split], { attributes: { perm: [0, 2, 1, 3] } });
  });
  const layers = Array.from({ length: config.decoder_layers }, (_, i) => i);
  return { hidden, cross: layers.map((i) => ({ key: byHead[2 * i], value: byHead[2 * i + 1] })) };
}

function convolve(g: GraphBuilder, weights: NetworkWeights, x: string, name: string, inputs: number, stride: number) {
  const { d_model: width } = weights.config;
  const kernel = weights.tensor(`${name}.weight`, width, inputs, 3);
  const bias = weights.tensor(`${name}.bias`, width);
  const inputsOf = [
    x,
    g.weight(`${name}.kernel`, "float32", [width, inputs, 3], () => bytes(kernel)),
    g.weight(`${name}.bias`, "float32", [width], () => bytes(bias)),
  ];
  const attributes = { kernel_shape: [3], pads: [1, 1], strides: [stride] };
  return g.op("Gelu", [g.op("Conv", inputsOf, { attributes })], { domain: MICROSOFT });
}

/** The biases of query, key and value as one, zeros where a layer has none. */
function attentionBias(g: GraphBuilder, name: string, linears: readonly Linear[]): string {
  const size = linears.reduce((sum, { outputs }) => sum + outputs, 0);
  return g.weight(`${name}.bias`, "float32", [size], () => {
    const all = new Float32Array(size);
    let place = 0;
    for (const { bias, outputs } of linears) {
      if (bias) all.set(bias, place);
      place += outputs;
    }
    return bytes(all);
  });
}
