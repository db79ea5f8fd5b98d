import type { Vocabulary } from "./build-token-choice.ts";
import { attend, type CrossForm, type CrossShape, crossInFloats, crossShape, takeCross } from "./cross-attention.ts";
import { embed, joinedProjection } from "./decoder-layers.ts";
import { type GraphBuilder, MICROSOFT, TYPES } from "./graph-builder.ts";
import { addAndNormalize, feedForward, normalize } from "./layer-parts.ts";
import type { DecoderLayer, NetworkWeights } from "./network-weights.ts";
import { type Arithmetic, Projections } from "./projection.ts";

export type AlignmentOptions = {
  arithmetic: Arithmetic;
  vocabulary: Vocabulary;
  heads: readonly (readonly [number, number])[];
  /** How keys and values of the audio are held. */
  cross: CrossForm;
};

/**
 * The decoder teacher-forced, for the times of words. In: `ids` int32 `[rows, length]`, padded at the end (what comes
 * later is not seen), cross keys and values, `wants_probabilities` bool, `targets` int32 `[rows, length]`. Out:
 * `scores` `[rows, heads, length, positions]`, the heads' scaled attention scores before softmax, and `probabilities`
 * `[rows, length]`, that of each target among ids below the end of text (0 for others). Without them the graph stops at
 * the last layer that has a head.
 */
export function buildAlignment(g: GraphBuilder, weights: NetworkWeights, options: AlignmentOptions) {
  const { config } = weights;
  const { arithmetic, vocabulary, cross } = options;
  const shape = crossShape(config);
  const cut = vocabulary.endOfText;
  const lastLayer = Math.max(...options.heads.map(([layer]) => layer));

  const ids = g.input("ids", "int32", ["rows", "length"]);
  g.input("targets", "int32", ["rows", "length"]);
  g.input("wants_probabilities", "bool", []);
  takeCross(g, cross, shape, config.decoder_layers, "rows");
  const length = g.op("Shape", [ids], { attributes: { start: { int: 1 }, end: { int: 2 } } });
  const places = g.op("Range", [
    g.constant("int32", [0], []),
    g.op("Cast", [g.op("Squeeze", [length])], { attributes: { to: { int: TYPES.int32 } } }),
    g.constant("int32", [1], []),
  ]);
  let state: Residual = { stream: embed(g, weights, ids, places, arithmetic), normed: "" };
  state.normed = normalize(g, state.stream, weights.decoderLayer(0).selfNorm);

  // What was made a number of 32 bit outside is seen inside the branch below.
  const inFloats = new Map<string, string>();
  const held: HeldCross = (where, kind, layer) => {
    const name = `${kind}.${layer}`;
    const floats = inFloats.get(name) ?? crossInFloats(where, cross, kind, layer);
    inFloats.set(name, floats);
    return floats;
  };
  const scores = new Map<string, string>();
  const multiply = new Projections(g, arithmetic);
  for (let i = 0; i < lastLayer; i++) {
    const before = beforeCross(g, weights, multiply, i, state);
    lookAtHeads(g, options.heads, i, before.query, shape, held, scores);
    state = afterCross(g, weights, multiply, i, cut, before, held);
  }
  const last = beforeCross(g, weights, multiply, lastLayer, state);
  lookAtHeads(g, options.heads, lastLayer, last.query, shape, held, scores);
  const inOrder = options.heads.map((pair) => scores.get(pair.join()) ?? "");
  const all = g.op("Concat", inOrder, { attributes: { axis: { int: 1 } } });
  g.output("scores", all, "float32", ["rows", options.heads.length, "length", config.max_source_positions]);

  const yes = g.subgraph("rest");
  const inside = new Projections(yes, arithmetic);
  state = afterCross(yes, weights, inside, lastLayer, cut, last, held);
  for (let i = lastLayer + 1; i < config.decoder_layers; i++) {
    state = afterCross(yes, weights, inside, i, cut, beforeCross(yes, weights, inside, i, state), held);
  }
  const logits = inside.apply(state.normed, weights.logits(vocabulary.endOfText).linears[0]);
  const outside = yes.op("GreaterOrEqual", ["targets", yes.constant("int32", [vocabulary.endOfText], [])]);
  const safe = yes.op("Where", [outside, yes.constant("int32", [0], []), "targets"]);
  const column = yes.op("Unsqueeze", [safe, yes.ids(-1)]);
  const keep = { attributes: { keepdims: { int: 1 } } };
  const top = yes.op("ReduceMax", [logits, yes.ids(-1)], keep);
  const sum = yes.op("ReduceSum", [yes.op("Exp", [yes.op("Sub", [logits, top])]), yes.ids(-1)], keep);
  const own = yes.op("GatherElements", [logits, column], { attributes: { axis: { int: -1 } } });
  const share = yes.op("Div", [yes.op("Exp", [yes.op("Sub", [own, top])]), sum]);
  const probabilities = yes.op("Where", [outside, yes.float(0), yes.op("Squeeze", [share, yes.ids(-1)])]);
  yes.output("rest/probabilities", probabilities, "float32", ["rows", "length"]);
  const no = g.subgraph("none");
  no.output("none/probabilities", no.constant("float32", [], [0, 0]), "float32", ["zero", "zero"]);
  const result = g.op("If", ["wants_probabilities"], { attributes: { then_branch: yes, else_branch: no } });
  g.output("probabilities", result, "float32", ["rows", "length"]);
}

/** Keys or values of a layer's audio as fp32 `[rows, heads, positions, headSize]`. */
type HeldCross = (where: GraphBuilder, kind: "cross_key" | "cross_value", layer: number) => string;
type Residual = { stream: string; normed: string };

/** A layer up to the query of its cross-attention. */
function beforeCross(g: GraphBuilder, weights: NetworkWeights, multiply: Projections, i: number, state: Residual) {
  const prefix = `decoder.layers.${i}`;
  const layer = weights.decoderLayer(i);
  const joined = multiply.apply(state.normed, joinedProjection(`${prefix}.self_attn.qkv`, layer.self));
  const parts = g.ops("Split", [joined], 3, { attributes: { axis: { int: -1 }, num_outputs: { int: 3 } } });
  const attended = g.op("MultiHeadAttention", parts, {
    domain: MICROSOFT,
    attributes: { num_heads: { int: weights.config.decoder_attention_heads }, unidirectional: { int: 1 } },
  });
  const own = multiply.multiply(attended, layer.self.out);
  const { normed, stream } = addAndNormalize(g, own, state.stream, layer.crossNorm);
  return { layer, stream, query: multiply.apply(normed, layer.crossQuery) };
}

/** A layer from its cross-attention on. */
function afterCross(
  g: GraphBuilder,
  weights: NetworkWeights,
  multiply: Projections,
  i: number,
  cut: number,
  before: { layer: DecoderLayer; stream: string; query: string },
  held: HeldCross,
): Residual {
  const { layer } = before;
  const audio = [held(g, "cross_key", i), held(g, "cross_value", i)] as const;
  const looked = attend(g, crossShape(weights.config), before.query, audio);
  const out = multiply.multiply(looked, layer.crossOut);
  const { normed, stream } = addAndNormalize(g, out, before.stream, layer.finalNorm);
  const isLast = i + 1 === weights.config.decoder_layers;
  const next = isLast ? weights.logits(cut).norm : weights.decoderLayer(i + 1).selfNorm;
  return addAndNormalize(g, feedForward(g, multiply, normed, layer.up, layer.down), stream, next);
}

/** Scaled scores `[rows, 1, length, positions]` of the wanted heads of a layer. */
function lookAtHeads(
  g: GraphBuilder,
  heads: AlignmentOptions["heads"],
  layer: number,
  query: string,
  { heads: headCount, headSize }: CrossShape,
  held: HeldCross,
  scores: Map<string, string>,
) {
  const wanted = heads.filter(([of]) => of === layer);
  if (wanted.length === 0) return;
  const split = g.op("Reshape", [query, g.ids(0, 0, headCount, headSize)]);
  for (const [, head] of wanted) {
    const pick = (x: string, axis: number) =>
      g.op("Gather", [x, g.constant("int64", [head], [])], { attributes: { axis: { int: axis } } });
    const score = g.op("FusedMatMul", [pick(split, 2), pick(held(g, "cross_key", layer), 1)], {
      domain: MICROSOFT,
      attributes: { transB: { int: 1 }, alpha: 1 / Math.sqrt(headSize) },
    });
    scores.set([layer, head].join(), g.op("Unsqueeze", [score, g.ids(1)]));
  }
}
