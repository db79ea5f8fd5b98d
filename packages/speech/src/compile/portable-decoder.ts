import { chooseToken, textFigures, type Vocabulary } from "./build-token-choice.ts";
import { attend, crossShape, takeCross } from "./cross-attention.ts";
import { decoderLayers, embed } from "./decoder-layers.ts";
import { arithmeticGates } from "./gates.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { attendPrompt, attendStep, causalMask, standingOf } from "./masked-attention.ts";
import type { NetworkWeights } from "./network-weights.ts";
import { type Arithmetic, Projections } from "./projection.ts";

export type StepsOptions = { arithmetic: Arithmetic; vocabulary: Vocabulary };

/** Keys and values of a layer, held or of the audio. */
export type Held = { key: string; value: string };

/** Operators of this version have kernels in all providers; of later ones some have none. */
export const PORTABLE_OPSET = 18;

/** Tokens that one run of the steps chooses. */
export const UNROLLED = 4;

/** Names of a decoder's keys and values, layer by layer: its own, and those of the audio. */
export function stateNames(layers: number): { held: string[]; cross: string[] } {
  const of = (kinds: string[]) => Array.from({ length: layers }, (_, i) => kinds.map((kind) => `${kind}.${i}`)).flat();
  return { held: of(["key", "value"]), cross: of(["cross_key", "cross_value"]) };
}

/** Shapes of keys and values, by the kind that begins their names. */
export function stateDims({ config }: NetworkWeights, rows: string): Record<string, (string | number)[]> {
  const { heads, positions, headSize } = crossShape(config);
  const cross = [rows, heads, positions, headSize];
  return {
    key: [rows, heads, headSize, config.max_target_positions],
    value: [rows, heads, config.max_target_positions, headSize],
    cross_key: cross,
    cross_value: cross,
  };
}

export const kindOf = (name: string) => name.replace(/\..*/, "");

export function crossInputs(g: GraphBuilder, weights: NetworkWeights): Held[] {
  const { config } = weights;
  takeCross(g, "fp32", crossShape(config), config.decoder_layers, "rows");
  return Array.from({ length: config.decoder_layers }, (_, i) => {
    return { key: `cross_key.${i}`, value: `cross_value.${i}` };
  });
}

/** The nodes of a whole prompt: logits of text and rest `[rows, places, ·]`, keys and values. */
export function runPrompt(
  g: GraphBuilder,
  weights: NetworkWeights,
  { arithmetic, vocabulary }: StepsOptions,
  input: { ids: string; places: string; wanted: string; pads: readonly string[]; cross: readonly Held[] },
) {
  const { config } = weights;
  const multiply = new Projections(g, arithmetic);
  const shape = crossShape(weights.config);
  const mask = causalMask(g, input.places);
  const held: Held[] = [];
  const { normed, toLogits } = decoderLayers(g, weights, multiply, {
    stream: embed(g, weights, input.ids, input.places, arithmetic),
    cut: vocabulary.endOfText,
    look: (query, i) => attend(g, shape, query, [input.cross[i].key, input.cross[i].value]),
    attend(joined) {
      const { seen, ...made } = attendPrompt(g, joined, shape, mask);
      const [key, value] = [made.key, made.value].map((x, i) => g.op("Pad", [x, input.pads[i]]));
      held.push({ key, value });
      return seen;
    },
  });
  const flat = g.op("Reshape", [normed, g.ids(-1, config.d_model)]);
  const hidden = g.op("Gather", [flat, input.wanted]);
  const [text, rest] = [toLogits.text, toLogits.rest].map((part) => multiply.apply(hidden, part));
  return { text, rest, held };
}

/** What the rules ask of rows, int32 or bool `[rows]` each; `last` is the token to be fed. */
export type RowState = { past: string; last: string; lastButOne: string; latestTimestamp: string; done: string };

export function suppressInputs(g: GraphBuilder, { endOfText, size }: Vocabulary, prefix = "suppress") {
  return {
    text: g.input(`${prefix}_text`, "float32", ["suppressed", endOfText]),
    rest: g.input(`${prefix}_rest`, "float32", ["suppressed", size - endOfText]),
  };
}

/** One token a row through all layers: logits of text and rest `[rows, ·]`, keys and values with it. */
export function runStep(
  g: GraphBuilder,
  weights: NetworkWeights,
  { arithmetic, vocabulary }: StepsOptions,
  input: { last: string; past: string; held: readonly Held[]; cross: readonly Held[] },
) {
  const multiply = new Projections(g, arithmetic);
  const shape = crossShape(weights.config);
  const column = (x: string) => g.op("Unsqueeze", [x, g.ids(1)]);
  const standing = standingOf(g, input.past, weights.config.max_target_positions);
  const held: Held[] = [];
  const { normed, toLogits } = decoderLayers(g, weights, multiply, {
    stream: embed(g, weights, column(input.last), column(input.past), arithmetic),
    cut: vocabulary.endOfText,
    look: (query, i) => attend(g, shape, query, [input.cross[i].key, input.cross[i].value]),
    attend(joined, i) {
      const { seen, ...made } = attendStep(g, joined, shape, input.held[i], standing);
      held.push(made);
      return seen;
    },
  });
  const hidden = g.op("Reshape", [normed, g.ids(-1, weights.config.d_model)]);
  const [text, rest] = [toLogits.text, toLogits.rest].map((part) => multiply.apply(hidden, part));
  return { text, rest, held };
}

/** The most probable token of each row by the rules, the end of text for rows that are done, and where rows stand then. */
export function chooseNext(
  g: GraphBuilder,
  { config }: NetworkWeights,
  vocabulary: Vocabulary,
  said: { text: string; rest: string; timed: string; suppress: { text: string; rest: string } },
  state: RowState,
) {
  const int32 = (value: number) => g.constant("int32", [value], []);
  const gates = arithmeticGates(g);
  const logits = {
    text: textFigures(g, g.op("Add", [said.text, said.suppress.text]), vocabulary, gates),
    rest: g.op("Add", [said.rest, said.suppress.rest]),
  };
  const choice = chooseToken(g, vocabulary, logits, said.timed, state, gates);
  const end = int32(vocabulary.endOfText);
  const token = g.op("Where", [state.done, end, choice.token]);
  const next = g.op("Add", [state.past, int32(1)]);
  const most = int32(config.max_target_positions - 1);
  const after: RowState = {
    // A row that is done stays where it is: it may sit at the very end of its context.
    past: g.op("Where", [g.op("Greater", [next, most]), most, next]),
    last: token,
    lastButOne: state.last,
    latestTimestamp: choice.history.latestTimestamp,
    done: gates.or(state.done, g.op("Equal", [token, end])),
  };
  return { token, logProbability: choice.logProbability, state: after };
}
