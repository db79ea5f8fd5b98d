import { reductions, type TextFigures, type Vocabulary } from "./build-token-choice.ts";
import { embedTokens, type ToLogits } from "./decoder-layers.ts";
import { type GraphBuilder, TYPES } from "./graph-builder.ts";
import type { NetworkWeights } from "./network-weights.ts";
import type { Arithmetic } from "./projection.ts";

/** Tokens whose logits are computed exactly. */
const CANDIDATES = 64;
/** With less text than this a list saves nothing. */
const LEAST_TEXT = 8192;
/** By how much the other tokens' logits may be off, as a multiple of the most that a candidate's is. */
const MARGIN = 2;
/** What is below was suppressed. */
const SUPPRESSED = -1e29;

/** Whether a token is chosen by a list of candidates: it must save something, and the exact product must be at hand by row. */
export function isListed(arithmetic: Arithmetic, { tied }: ToLogits, { endOfText }: Vocabulary): boolean {
  return arithmetic === "fp32" && tied && endOfText >= LEAST_TEXT;
}

export type Shortlisted = TextFigures & {
  /** bool `[rows, 1]`: whether no token outside the list can be a row's most probable one. */
  sure: string;
};

/**
 * Figures of text logits from `about`, the same logits `[rows, endOfText]` by a product in 8 bit. A step of few rows takes
 * as long as its weights take to be read, and those of the vocabulary are the largest matrix, or the largest half of all. What is
 * most probable by a quarter of the bytes is computed again, exactly, from the token embedding, which is that matrix by rows.
 * How far the candidates were off tells how far the others can be. Those only count in the sum, and hardly. `hidden` is
 * `[rows, width]`; `suppress` is added to the logits.
 */
export function shortlist(
  g: GraphBuilder,
  weights: NetworkWeights,
  about: string,
  { hidden, suppress }: { hidden: string; suppress: string },
): Shortlisted {
  const { maximum, minimum, sumOfExp } = reductions(g);
  const alongLast = (op: string, inputs: string[]) => g.op(op, inputs, { attributes: { axis: { int: -1 } } });
  const all = g.op("Add", [about, suppress]);
  const [listed, places] = g.ops("TopK", [all, g.ids(CANDIDATES)], 2, { attributes: { sorted: { int: 0 } } });
  const unsuppressed = alongLast("GatherElements", [about, places]);
  const rows = embedTokens(g, weights, places, "fp32");
  const product = g.op("MatMul", [rows, g.op("Unsqueeze", [hidden, g.ids(-1)])]);
  const exact = g.op("Squeeze", [product, g.ids(-1)]);
  const isSuppressed = g.op("Less", [listed, g.float(SUPPRESSED)]);
  const added = g.op("Sub", [listed, unsuppressed]);
  const candidates = g.op("Where", [isSuppressed, listed, g.op("Add", [exact, added])]);
  const top = maximum(candidates);
  const id = alongLast("GatherElements", [places, alongLast("ArgMax", [candidates])]);

  const off = g.op("Where", [isSuppressed, g.float(0), g.op("Abs", [g.op("Sub", [exact, unsuppressed])])]);
  const mostElsewhere = g.op("Add", [minimum(listed), g.op("Mul", [maximum(off), g.float(MARGIN)])]);

  const elsewhere = g.op("Max", [g.op("Sub", [sumOfExp(all, top), sumOfExp(listed, top)]), g.float(0)]);
  const sum = g.op("Add", [elsewhere, sumOfExp(candidates, top)]);
  return {
    top,
    id: g.op("Cast", [id], { attributes: { to: { int: TYPES.int32 } } }),
    logSum: g.op("Add", [g.op("Log", [sum]), top]),
    sure: g.op("GreaterOrEqual", [top, mostElsewhere]),
  };
}
