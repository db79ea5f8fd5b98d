import { type TextFigures, textFigures, type Vocabulary } from "./build-token-choice.ts";
import type { ToLogits } from "./decoder-layers.ts";
import { either } from "./either.ts";
import { type GraphBuilder, TYPES } from "./graph-builder.ts";
import type { NetworkWeights } from "./network-weights.ts";
import type { Arithmetic, Projections } from "./projection.ts";
import { isListed, shortlist } from "./shortlist.ts";

type Hidden = {
  /** Hidden states `[rows, places, width]` after which logits are wanted; a row's next token follows the last. */
  wanted: string;
  toLogits: ToLogits;
  vocabulary: Vocabulary;
  arithmetic: Arithmetic;
};

type Said = {
  /** What `chooseToken` asks of the last place, suppressed tokens at −∞. */
  text: TextFigures;
  rest: string;
  /** `[rows, places, vocabulary]` where `wants_logits`, else nothing: they are large. */
  logits: string;
};

/** What hidden states say comes next, by the graph's `suppress_text`, `suppress_rest` and `wants_logits`. */
export function sayNext(g: GraphBuilder, weights: NetworkWeights, multiply: Projections, hidden: Hidden): Said {
  const { wanted, toLogits, vocabulary, arithmetic } = hidden;
  const rest = multiply.apply(wanted, toLogits.rest);
  const allOf = (inside: GraphBuilder, text: string) => {
    const figures = textFigures(inside, inside.op("Add", [last(inside, text), "suppress_text"]), vocabulary);
    return { ...figures, logits: logitsIfWanted(inside, text, rest) };
  };
  const { logits, ...text } = isListed(arithmetic, toLogits, vocabulary)
    ? byList(g, weights, multiply, hidden, allOf)
    : allOf(g, multiply.apply(wanted, toLogits.text));
  return { text, rest: g.op("Add", [last(g, rest), "suppress_rest"]), logits };
}

/** The last place `[rows, ·]` of `[rows, places, ·]`. */
function last(g: GraphBuilder, x: string): string {
  return g.op("Gather", [x, g.constant("int64", [-1], [])], { attributes: { axis: { int: 1 } } });
}

type AllOf = (g: GraphBuilder, text: string) => TextFigures & { logits: string };

const PER_ROW = ["rows", 1];
const FIGURES = {
  top: { type: "float32", dims: PER_ROW },
  id: { type: "int32", dims: PER_ROW },
  logSum: { type: "float32", dims: PER_ROW },
} as const;
const ALL_LOGITS = { type: "float32", dims: ["rows", "places", "size"] } as const;

/**
 * By a list of candidates; where logits are wanted, or for a row that is not sure of it, by the whole matrix after all.
 * What is not to be multiplied gets no rows: within a branch onnxruntime would rearrange the matrix in each run anew.
 */
function byList(
  g: GraphBuilder,
  weights: NetworkWeights,
  multiply: Projections,
  { wanted, toLogits }: Hidden,
  allOf: AllOf,
): TextFigures & { logits: string } {
  const { inputs: width } = toLogits.text;
  const nothing = (inside: GraphBuilder, ...dims: number[]) => inside.constant("float32", [], dims);
  const hidden = last(g, wanted);
  const listed = either(
    g,
    "wants_logits",
    { hidden: { type: "float32", dims: ["listed", width] } },
    (inside) => ({ hidden: nothing(inside, 0, width) }),
    () => ({ hidden }),
  );
  const about = multiply.approximate(listed.hidden, toLogits.text);
  const list = either(
    g,
    "wants_logits",
    { ...FIGURES, sure: { type: "bool", dims: PER_ROW } },
    (inside) => {
      const none = (type: "float32" | "int32" | "bool") => inside.constant(type, [0], [1, 1]);
      return { top: none("float32"), id: none("int32"), logSum: none("float32"), sure: none("bool") };
    },
    (inside) => shortlist(inside, weights, about, { hidden, suppress: "suppress_text" }),
  );
  const toInt32 = { attributes: { to: { int: TYPES.int32 } } };
  const least = g.op("ReduceMin", [g.op("Cast", [list.sure], toInt32)], { attributes: { keepdims: { int: 0 } } });
  const isSure = g.op("Cast", [least], { attributes: { to: { int: TYPES.bool } } });
  const unlisted = either(
    g,
    isSure,
    { hidden: { type: "float32", dims: ["unlisted", "places", width] } },
    (inside) => ({ hidden: nothing(inside, 0, 1, width) }),
    () => ({ hidden: wanted }),
  );
  const text = multiply.apply(unlisted.hidden, toLogits.text);
  return either(
    g,
    isSure,
    { ...FIGURES, logits: ALL_LOGITS },
    (inside) => ({ top: list.top, id: list.id, logSum: list.logSum, logits: nothing(inside, 0, 0, 0) }),
    (inside) => {
      const all = allOf(inside, text);
      const choose = (name: keyof TextFigures) => inside.op("Where", [list.sure, list[name], all[name]]);
      return { top: choose("top"), id: choose("id"), logSum: choose("logSum"), logits: all.logits };
    },
  );
}

/** Text and rest as one where the caller asked for it, nothing otherwise. */
function logitsIfWanted(g: GraphBuilder, text: string, rest: string): string {
  const { logits } = either(
    g,
    "wants_logits",
    { logits: ALL_LOGITS },
    (inside) => ({ logits: inside.op("Concat", [text, rest], { attributes: { axis: { int: -1 } } }) }),
    (inside) => ({ logits: inside.constant("float32", [], [0, 0, 0]) }),
  );
  return logits;
}
