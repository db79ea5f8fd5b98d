import type { GraphBuilder } from "./graph-builder.ts";
import type { NetworkWeights } from "./network-weights.ts";
import {
  chooseNext,
  crossInputs,
  type Held,
  kindOf,
  type RowState,
  runPrompt,
  runStep,
  type StepsOptions,
  stateDims,
  stateNames,
  suppressInputs,
  UNROLLED,
} from "./portable-decoder.ts";

/**
 * Whole prompts, as WebGPU and others run them. In: `ids` int32 `[rows, new]`, `places` int32 `[new]` (0, 1, 2 …),
 * `wanted` int32 `[rows, places]`: the ids after which logits are wanted, counted through all rows; `pads_key` and
 * `pads_value` int64 `[8]`, which widen the prompt's keys and values to the capacity; `cross_key.i`, `cross_value.i`.
 * Out: `logits` `[rows, places, vocabulary]`, and `next_key.i`, `next_value.i`.
 */
export function buildPrompt(g: GraphBuilder, weights: NetworkWeights, options: StepsOptions) {
  const ids = g.input("ids", "int32", ["rows", "new"]);
  const places = g.input("places", "int32", ["new"]);
  const wanted = g.input("wanted", "int32", ["rows", "places"]);
  const pads = ["key", "value"].map((kind) => g.input(`pads_${kind}`, "int64", [8]));
  const prompt = runPrompt(g, weights, options, { ids, places, wanted, pads, cross: crossInputs(g, weights) });
  const logits = g.op("Concat", [prompt.text, prompt.rest], { attributes: { axis: { int: -1 } } });
  g.output("logits", logits, "float32", ["rows", "places", options.vocabulary.size]);
  outputHeld(g, weights, prompt.held);
}

/** Inputs that all runs of single tokens have: where rows stand, their keys and values. */
function stepInputs(g: GraphBuilder, weights: NetworkWeights) {
  const [last, past] = ["last", "past"].map((name) => g.input(name, "int32", ["rows"]));
  const dims = stateDims(weights, "rows");
  const { held } = stateNames(weights.config.decoder_layers);
  for (const name of held) g.input(name, "float32", dims[kindOf(name)]);
  const layers = Array.from({ length: weights.config.decoder_layers }, (_, i) => i);
  return {
    last,
    past,
    held: layers.map((i): Held => ({ key: `key.${i}`, value: `value.${i}` })),
    cross: crossInputs(g, weights),
  };
}

/** One token a row for those who choose by themselves: `last` and `past` as in `buildSteps`, `logits` `[rows, vocabulary]`. */
export function buildSingle(g: GraphBuilder, weights: NetworkWeights, options: StepsOptions) {
  const { last, past, held, cross } = stepInputs(g, weights);
  const step = runStep(g, weights, options, { last, past, held, cross });
  const logits = g.op("Concat", [step.text, step.rest], { attributes: { axis: { int: -1 } } });
  g.output("logits", logits, "float32", ["rows", options.vocabulary.size]);
  outputHeld(g, weights, step.held);
}

/**
 * Tokens one after the other without a loop, for providers that have none. In, int32 `[rows]` each: `past`, tokens whose
 * keys and values are held; `last`, `last_but_one`, `latest`, see `chooseToken`; `timed` and `done`, 0 or 1; then
 * `suppress_text` and `suppress_rest` fp32 as in `buildDecoder`, `key.i`, `value.i`, `cross_key.i`, `cross_value.i`.
 * Out: `tokens` int32 and `log_probabilities` fp32 `[UNROLLED, rows]`, `next_key.i`, `next_value.i`. Rows that are done
 * give the end of text.
 */
export function buildSteps(g: GraphBuilder, weights: NetworkWeights, options: StepsOptions) {
  const { last, past, held: first, cross } = stepInputs(g, weights);
  const { vocabulary } = options;
  const [lastButOne, latestTimestamp] = ["last_but_one", "latest"].map((name) => g.input(name, "int32", ["rows"]));
  const holds = (name: string) => g.op("Greater", [g.input(name, "int32", ["rows"]), g.constant("int32", [0], [])]);
  const timed = g.op("Unsqueeze", [holds("timed"), g.ids(-1)]);
  const suppress = suppressInputs(g, vocabulary);
  let state: RowState = { past, last, lastButOne, latestTimestamp, done: holds("done") };
  let held = first;
  const chosen: { token: string; logProbability: string }[] = [];
  for (let round = 0; round < UNROLLED; round++) {
    const step = runStep(g, weights, options, { last: state.last, past: state.past, held, cross });
    held = step.held;
    const choice = chooseNext(g, weights, vocabulary, { ...step, timed, suppress }, state);
    state = choice.state;
    chosen.push(choice);
  }
  const rounds = (kind: "token" | "logProbability") => {
    const each = chosen.map((one) => g.op("Unsqueeze", [one[kind], g.ids(0)]));
    return g.op("Concat", each, { attributes: { axis: { int: 0 } } });
  };
  g.output("tokens", rounds("token"), "int32", [UNROLLED, "rows"]);
  g.output("log_probabilities", rounds("logProbability"), "float32", [UNROLLED, "rows"]);
  outputHeld(g, weights, held);
}

/** Rows of one state behind those of another, `more_*`; or rows of a state by `rows` int32, in that order. */
export function buildArrangement(g: GraphBuilder, weights: NetworkWeights, how: "append" | "select") {
  const dims = stateDims(weights, "rows");
  const { held, cross } = stateNames(weights.config.decoder_layers);
  const index = how === "select" ? g.input("rows", "int32", ["chosen"]) : "";
  for (const name of [...held, ...cross]) {
    const [, ...rest] = dims[kindOf(name)];
    const own = g.input(name, "float32", ["rows", ...rest]);
    const arranged =
      how === "select"
        ? g.op("Gather", [own, index])
        : g.op("Concat", [own, g.input(`more_${name}`, "float32", ["more", ...rest])], {
            attributes: { axis: { int: 0 } },
          });
    g.output(`next_${name}`, arranged, "float32", ["all", ...rest]);
  }
}

/**
 * The audio's keys and values as they are: outputs that a session leaves where its caller can read them. JavaScript cannot
 * read what lies on a device.
 */
export function buildRead(g: GraphBuilder, weights: NetworkWeights) {
  const dims = stateDims(weights, "rows");
  for (const { key, value } of crossInputs(g, weights)) {
    for (const name of [key, value]) g.output(`read_${name}`, name, "float32", dims[kindOf(name)]);
  }
}

function outputHeld(g: GraphBuilder, weights: NetworkWeights, held: readonly Held[]) {
  const dims = stateDims(weights, "rows");
  for (const [i, { key, value }] of held.entries()) {
    g.output(`next_key.${i}`, key, "float32", dims.key);
    g.output(`next_value.${i}`, value, "float32", dims.value);
  }
}
