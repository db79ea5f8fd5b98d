import { type Gates, onnxGates } from "./gates.ts";
import type { GraphBuilder } from "./graph-builder.ts";

/** Ids of the vocabulary that the rules need: text lies below the end of text, timestamps above all else. */
export type Vocabulary = {
  size: number;
  endOfText: number;
  noTimestamps: number;
  firstTimestamp: number;
  timestampCount: number;
};

/** What a row has emitted, as far as the rules ask: int32 `[rows]` each. */
export type RowHistory = {
  last: string;
  lastButOne: string;
  /** The latest timestamp, or 0 where there is none. */
  latestTimestamp: string;
};

/** What the rules ask of text logits `[rows, endOfText]`: the largest, its id (int32), log Σ exp; `[rows, 1]` each. */
export type TextFigures = { top: string; id: string; logSum: string };

export type Choice = { token: string; logProbability: string; history: RowHistory };

/** Stands for −∞: differences of two of it stay numbers. */
export const NEVER = -1e30;

/** Over the last axis, which stays with length 1. */
export function reductions(g: GraphBuilder) {
  const keep = { attributes: { keepdims: { int: 1 } } };
  const sumOfExp = (x: string, top: string) =>
    g.op("ReduceSum", [g.op("Exp", [g.op("Sub", [x, top])]), g.ids(-1)], keep);
  return {
    maximum: (x: string) => g.op("ReduceMax", [x, g.ids(-1)], keep),
    minimum: (x: string) => g.op("ReduceMin", [x, g.ids(-1)], keep),
    /** Σ exp(x − top). */
    sumOfExp,
    /** log Σ exp, given the maximum; faster than `ReduceLogSumExp`. */
    logSum: (x: string, top: string) => g.op("Add", [g.op("Log", [sumOfExp(x, top)]), top]),
  };
}

/** The figures of text logits of which all are known. */
export function textFigures(
  g: GraphBuilder,
  text: string,
  { endOfText }: Vocabulary,
  gates: Gates = onnxGates(g),
): TextFigures {
  const { top, place } = gates.best(text, endOfText);
  return { top, id: place, logSum: reductions(g).logSum(text, top) };
}

/**
 * The most probable token of each row after the rules of Whisper's reference decoder, all but those of a window's first
 * token, inside the graph. Logits come in two parts, figures of `text` and `rest` `[rows, size - endOfText]`,
 * both with the suppressed tokens at −∞ already. `timed` bool `[rows, 1]`: whether the timestamp rules hold for a row.
 *
 * Of the large part only its maximum and the sum of its exponentials are asked: what the rules do to text, they do to
 * all of it. `gates` are what a provider computes the rules with.
 */
export function chooseToken(
  g: GraphBuilder,
  vocabulary: Vocabulary,
  logits: { text: TextFigures; rest: string },
  timed: string,
  history: RowHistory,
  gates: Gates = onnxGates(g),
): Choice {
  const { size, endOfText, noTimestamps, firstTimestamp, timestampCount } = vocabulary;
  const never = g.float(NEVER);
  const last = (name: string) => g.op("Unsqueeze", [name, g.ids(-1)]);
  const int32 = (value: number) => g.constant("int32", [value], []);
  const { maximum, logSum } = reductions(g);

  const first = int32(firstTimestamp);
  const [lastToken, beforeThat, latest] = [history.last, history.lastButOne, history.latestTimestamp].map(last);
  const afterTimestamp = gates.and(g.op("GreaterOrEqual", [lastToken, first]), timed);
  const pairOpen = gates.and(afterTimestamp, g.op("Less", [beforeThat, first]));
  const pairClosed = gates.and(afterTimestamp, g.op("GreaterOrEqual", [beforeThat, first]));

  // Timestamps never fall; an end may not be its start, the next start may be the last end.
  const rise = g.op("Where", [pairOpen, int32(0), int32(1)]);
  const lowest = g.op("Where", [
    pairClosed,
    int32(size),
    g.op("Where", [timed, g.op("Add", [latest, rise]), int32(0)]),
  ]);
  const end = firstTimestamp + timestampCount;
  const restIds = Array.from({ length: size - endOfText }, (_, i) => endOfText + i);
  const isTimestamp = restIds.map((id) => (id >= firstTimestamp ? 1 : 0));
  const outside = restIds.map((id) => (id === noTimestamps || id >= end ? 1 : 0));
  const allIds = g.constant("int32", restIds);
  const timestamps = g.constant("bool", isTimestamp);
  const tooLow = gates.and(g.op("Less", [allIds, lowest]), timestamps);
  const forbidden = gates.or(tooLow, gates.and(g.constant("bool", outside), timed));
  const rest = g.op("Where", [forbidden, never, logits.rest]);

  const { top: textTop, id: textId, logSum: textSum } = logits.text;

  // A timestamp is forced where all of them together outweigh the best of anything else.
  const split = g.ops("Split", [rest, g.ids(firstTimestamp - endOfText, size - firstTimestamp)], 2, {
    attributes: { axis: { int: -1 } },
  });
  const timesTop = maximum(split[1]);
  const timesSum = logSum(split[1], timesTop);
  const specialTop = maximum(split[0]);
  const bestOther = gates.larger(g.op("Where", [pairOpen, never, textTop]), specialTop);
  const forced = gates.and(g.op("Greater", [timesSum, bestOther]), timed);
  const noText = gates.or(forced, pairOpen);

  const restTop = g.op("Where", [forced, timesTop, gates.larger(specialTop, timesTop)]);
  const noTimestamp = g.constant(
    "bool",
    isTimestamp.map((is) => 1 - is),
  );
  const allowed = g.op("Where", [gates.and(forced, noTimestamp), never, rest]);
  const restId = gates.placeOf(allowed, restTop, restIds.length);
  const text = g.op("Where", [noText, never, textTop]);
  const takesText = g.op("GreaterOrEqual", [text, restTop]);
  const id = g.op("Where", [takesText, textId, g.op("Add", [restId, int32(endOfText)])]);
  const token = g.op("Squeeze", [id, g.ids(-1)]);

  const specialSum = g.op("Where", [forced, never, logSum(split[0], specialTop)]);
  const sums = g.op("Concat", [g.op("Where", [noText, never, textSum]), specialSum, timesSum], {
    attributes: { axis: { int: -1 } },
  });
  const top = gates.larger(text, restTop);
  const logProbability = g.op("Squeeze", [g.op("Sub", [top, logSum(sums, maximum(sums))]), g.ids(-1)]);

  const isTime = g.op("GreaterOrEqual", [token, first]);
  return {
    token,
    logProbability,
    history: {
      last: token,
      lastButOne: history.last,
      latestTimestamp: g.op("Where", [isTime, token, history.latestTimestamp]),
    },
  };
}
