import { type GraphBuilder, TYPES } from "./graph-builder.ts";
import { addAndNormalize, feedForward, normalize } from "./layer-parts.ts";
import type { NetworkWeights } from "./network-weights.ts";
import { type Arithmetic, bytes, type Linear, type Projections } from "./projection.ts";

export type DecoderLayersOptions = {
  /** The residual stream `[rows, new, width]` that the first layer gets. */
  stream: string;
  /** Ids below it are text: where the matrix to logits is cut in two. */
  cut: number;
  /** A layer's self-attention: of query, key and value in one `[rows, new, 3 * width]`, what was seen `[rows, new, width]`. */
  attend: (joined: string, layer: number) => string;
  /** A layer's cross-attention: of queries `[rows, new, width]`, what was seen of the audio `[rows, new, width]`. */
  look: (query: string, layer: number) => string;
};

/** What the hidden states meet at last: the matrices of text and rest, and whether they are the token embedding. */
export type ToLogits = { text: Linear; rest: Linear; tied: boolean };

/** All layers of the decoder: the hidden states `[rows, new, width]` that meet `toLogits`. */
export function decoderLayers(
  g: GraphBuilder,
  weights: NetworkWeights,
  multiply: Projections,
  { stream: first, cut, attend, look }: DecoderLayersOptions,
): { normed: string; toLogits: ToLogits } {
  const { decoder_layers: count } = weights.config;
  const { norm: lastNorm, linears, tied } = weights.logits(cut);
  const [text, rest] = linears;
  let stream = first;
  let layer = weights.decoderLayer(0);
  let normed = normalize(g, stream, layer.selfNorm);
  for (let i = 0; i < count; i++) {
    const joined = multiply.apply(normed, joinedProjection(`decoder.layers.${i}.self_attn.qkv`, layer.self));
    const seen = multiply.multiply(attend(joined, i), layer.self.out);
    ({ normed, stream } = addAndNormalize(g, seen, stream, layer.crossNorm));

    const query = multiply.apply(normed, layer.crossQuery);
    const looked = look(query, i);
    ({ normed, stream } = addAndNormalize(g, multiply.multiply(looked, layer.crossOut), stream, layer.finalNorm));
    const fed = feedForward(g, multiply, normed, layer.up, layer.down);
    if (i + 1 < count) layer = weights.decoderLayer(i + 1);
    const next = i + 1 < count ? layer.selfNorm : lastNorm;
    ({ normed, stream } = addAndNormalize(g, fed, stream, next));
  }
  return { normed, toLogits: { text, rest, tied } };
}

/** Token and position embeddings `[rows, new, width]`. */
export function embed(
  g: GraphBuilder,
  weights: NetworkWeights,
  ids: string,
  positions: string,
  arithmetic: Arithmetic,
) {
  const { max_target_positions, d_model: width } = weights.config;
  const places = weights.tensor("decoder.embed_positions.weight", max_target_positions, width);
  const place = g.weight("decoder.embed_positions", "float32", [max_target_positions, width], () => bytes(places));
  return g.op("Add", [embedTokens(g, weights, ids, arithmetic), g.op("Gather", [place, positions])]);
}

/** The embeddings `[…, width]` of `ids`, held in 16 bit but for fp32. */
export function embedTokens(g: GraphBuilder, weights: NetworkWeights, ids: string, arithmetic: Arithmetic): string {
  const { vocab_size, d_model: width } = weights.config;
  const tokens = () => weights.tensor("decoder.embed_tokens.weight", vocab_size, width);
  if (arithmetic === "fp32") {
    const table = g.weight("decoder.embed_tokens", "float32", [vocab_size, width], () => bytes(tokens()));
    return g.op("Gather", [table, ids]);
  }
  const halves = () => bytes(new Float16Array(tokens()));
  const table = g.weight("decoder.embed_tokens.fp16", "float16", [vocab_size, width], halves);
  return g.op("Cast", [g.op("Gather", [table, ids])], { attributes: { to: { int: TYPES.float32 } } });
}

/** Query, key and value as one matrix. */
export function joinedProjection(
  name: string,
  { query, key, value }: Record<"query" | "key" | "value", Linear>,
): Linear {
  const parts = [query, key, value];
  const outputs = parts.reduce((sum, part) => sum + part.outputs, 0);
  const bias = new Float32Array(outputs);
  let row = 0;
  for (const part of parts) {
    if (part.bias) bias.set(part.bias, row);
    row += part.outputs;
  }
  return {
    ...{ name, bias, inputs: query.inputs, outputs },
    get weights() {
      const weights = new Float32Array(outputs * query.inputs);
      let place = 0;
      for (const part of parts) {
        weights.set(part.weights, place);
        place += part.outputs * query.inputs;
      }
      return weights;
    },
  };
}
