import { encode } from "./build-encoder.ts";
import { chooseToken, textFigures } from "./build-token-choice.ts";
import { arithmeticGates } from "./gates.ts";
import { type GraphBuilder, TYPES } from "./graph-builder.ts";
import type { NetworkWeights } from "./network-weights.ts";
import {
  chooseNext,
  type Held,
  kindOf,
  type RowState,
  runPrompt,
  runStep,
  type StepsOptions,
  stateDims,
  stateNames,
  suppressInputs,
} from "./portable-decoder.ts";

export type WholeOptions = StepsOptions & {
  windowFrames: number;
  /** The token whose probability at the start of a text says that nothing is spoken. */
  noSpeech: number | undefined;
};

/**
 * From features to text in one run: encoder, prompt and the loop over tokens, so that keys and values never leave the
 * device. In:
 * - `mel` `[rows, bins, frames]`
 * - `ids` int32 `[rows, new]`, prompts padded at the end; `counts` int32 `[rows]`, their lengths; `places` int32 `[new]`
 *   (0, 1, 2 …); `wanted` int32 `[rows, 2]`: where the text starts and where the prompt ends, counted through all rows;
 *   `pads_key` and `pads_value` as in `buildPrompt`
 * - `steps` int64: rounds after the first token, at most; `limits` int32 `[rows]`: tokens that each row may say
 * - `timed` int32 `[rows]`, 0 or 1; `first_text`, `first_rest`, `suppress_text`, `suppress_rest` fp32, for each row or one
 *   for all: what is added to the logits of the first token, and of later ones
 *
 * Out: `tokens` int32 and `log_probabilities` fp32 `[1 + rounds, rows]` (the end of text from a row's end on), `no_speech`
 * `[rows]`.
 */
export function buildWhole(g: GraphBuilder, weights: NetworkWeights, options: WholeOptions) {
  const { config } = weights;
  const { vocabulary, windowFrames } = options;
  const perRow = (name: string) => g.input(name, "int32", ["rows"]);
  const mel = g.input("mel", "float32", ["rows", config.num_mel_bins, windowFrames]);
  const ids = g.input("ids", "int32", ["rows", "new"]);
  const places = g.input("places", "int32", ["new"]);
  const wanted = g.input("wanted", "int32", ["rows", 2]);
  const pads = ["key", "value"].map((kind) => g.input(`pads_${kind}`, "int64", [8]));
  const steps = g.input("steps", "int64", []);
  const [past, limits, timedRows] = [perRow("counts"), perRow("limits"), perRow("timed")];
  const first = suppressInputs(g, vocabulary, "first");
  const suppress = suppressInputs(g, vocabulary);
  const holds = (x: string) => g.op("Greater", [x, g.constant("int32", [0], [])]);
  const timed = g.op("Unsqueeze", [holds(timedRows), g.ids(-1)]);

  const { cross } = encode(g, weights, { arithmetic: options.arithmetic, windowFrames }, mel);
  const prompt = runPrompt(g, weights, options, { ids, places, wanted, pads, cross });
  const at = (part: string, place: number) =>
    g.op("Gather", [part, g.constant("int32", [place], [])], { attributes: { axis: { int: 1 } } });
  g.output("no_speech", noSpeech(g, at(prompt.text, 0), at(prompt.rest, 0), options), "float32", ["rows"]);

  // The first token has rules of its own, all of which are told by what is added to its logits.
  const same = (value: number) => g.op("Add", [g.op("Mul", [past, int32(g, 0)]), int32(g, value)]);
  const start = { last: same(0), lastButOne: same(vocabulary.firstTimestamp), latestTimestamp: same(0) };
  const gates = arithmeticGates(g);
  const logits = {
    text: textFigures(g, g.op("Add", [at(prompt.text, 1), first.text]), vocabulary, gates),
    rest: g.op("Add", [at(prompt.rest, 1), first.rest]),
  };
  const begun = chooseToken(g, vocabulary, logits, g.constant("bool", [0], [1, 1]), start, gates);
  const ended = g.op("Equal", [begun.token, int32(g, vocabulary.endOfText)]);
  const left = g.op("Sub", [limits, int32(g, 1)]);
  const state: RowState = {
    ...{ past, last: begun.token, lastButOne: start.lastButOne, latestTimestamp: begun.history.latestTimestamp },
    done: gates.or(ended, g.op("Less", [left, int32(g, 1)])),
  };

  const carried = [state.past, state.last, state.lastButOne, state.latestTimestamp, state.done, left];
  const held = prompt.held.flatMap(({ key, value }) => [key, value]);
  const body = buildRound(g, weights, options, { cross, timed, suppress });
  const results = g.ops(
    "Loop",
    [steps, anyLeft(g, state.done), ...carried, ...held],
    carried.length + held.length + 2,
    {
      attributes: { body },
    },
  );
  const [laterTokens, laterProbabilities] = results.slice(-2);
  const behind = (one: string, later: string) =>
    g.op("Concat", [g.op("Unsqueeze", [one, g.ids(0)]), later], { attributes: { axis: { int: 0 } } });
  g.output("tokens", behind(begun.token, laterTokens), "int32", ["rounds", "rows"]);
  g.output("log_probabilities", behind(begun.logProbability, laterProbabilities), "float32", ["rounds", "rows"]);
}

type Outer = { cross: readonly Held[]; timed: string; suppress: { text: string; rest: string } };

/** The body of the loop. */
function buildRound(
  outer: GraphBuilder,
  weights: NetworkWeights,
  options: WholeOptions,
  { cross, timed, suppress }: Outer,
) {
  const g = outer.subgraph("round");
  g.input("round.number", "int64", []);
  g.input("round.go_on", "bool", []);
  const names = ["past", "last", "last_but_one", "latest"] as const;
  const [past, last, lastButOne, latestTimestamp] = names.map((name) => g.input(`round.${name}`, "int32", ["rows"]));
  const done = g.input("round.done", "bool", ["rows"]);
  const left = g.input("round.left", "int32", ["rows"]);
  const dims = stateDims(weights, "rows");
  const { held: heldNames } = stateNames(weights.config.decoder_layers);
  for (const name of heldNames) g.input(`round.${name}`, "float32", dims[kindOf(name)]);
  const layers = Array.from({ length: weights.config.decoder_layers }, (_, i) => i);
  const held = layers.map((i): Held => ({ key: `round.key.${i}`, value: `round.value.${i}` }));

  const step = runStep(g, weights, options, { last, past, held, cross });
  const before: RowState = { past, last, lastButOne, latestTimestamp, done };
  const said = { text: step.text, rest: step.rest, timed, suppress };
  const { token, logProbability, state } = chooseNext(g, weights, options.vocabulary, said, before);
  const stillLeft = g.op("Sub", [left, int32(g, 1)]);
  const nowDone = arithmeticGates(g).or(state.done, g.op("Less", [stillLeft, int32(g, 1)]));

  g.output("round.again", anyLeft(g, nowDone), "bool", []);
  const after = [state.past, state.last, state.lastButOne, state.latestTimestamp];
  for (const [i, value] of after.entries()) g.output(`round.next_${names[i]}`, value, "int32", ["rows"]);
  g.output("round.next_done", nowDone, "bool", ["rows"]);
  g.output("round.next_left", stillLeft, "int32", ["rows"]);
  for (const [i, { key, value }] of step.held.entries()) {
    g.output(`round.next_key.${i}`, key, "float32", dims.key);
    g.output(`round.next_value.${i}`, value, "float32", dims.value);
  }
  g.output("round.token", token, "int32", ["rows"]);
  g.output("round.log_probability", logProbability, "float32", ["rows"]);
  return g;
}

const int32 = (g: GraphBuilder, value: number) => g.constant("int32", [value], []);

/** Whether any row goes on. */
function anyLeft(g: GraphBuilder, done: string): string {
  const undone = g.op("Cast", [g.op("Not", [done])], { attributes: { to: { int: TYPES.int32 } } });
  const any = g.op("ReduceMax", [undone, g.ids(0)], { attributes: { keepdims: { int: 0 } } });
  return g.op("Greater", [any, int32(g, 0)]);
}

/** The probability `[rows]` of the token that says so; 0 where a model has none. */
function noSpeech(g: GraphBuilder, text: string, rest: string, { noSpeech: id, vocabulary }: WholeOptions): string {
  const keep = { attributes: { keepdims: { int: 1 } } };
  const all = g.op("Concat", [text, rest], { attributes: { axis: { int: -1 } } });
  const top = g.op("ReduceMax", [all, g.ids(-1)], keep);
  const powers = g.op("Exp", [g.op("Sub", [all, top])]);
  const sum = g.op("ReduceSum", [powers, g.ids(-1)], { attributes: { keepdims: { int: 0 } } });
  if (id === undefined) return g.op("Mul", [sum, g.float(0)]);
  if (id >= vocabulary.size) throw new Error(`the vocabulary has no token ${id}`);
  const own = g.op("Gather", [powers, int32(g, id)], { attributes: { axis: { int: 1 } } });
  return g.op("Div", [own, sum]);
}
