import { Tensor } from "onnxruntime-node";
import type { DecoderRow, JoiningWindow } from "../sessions/decoder-batch.ts";
import { SpeechError } from "../speech-error.ts";
import type { Vocabulary } from "./build-token-choice.ts";
import type { CrossShape } from "./cross-attention.ts";

/** The decoder's shapes. */
export type DecoderShape = CrossShape & {
  layers: number;
  maximumTokens: number;
  vocabulary: Vocabulary;
};

/** A row in a batch, as the rules and the graphs ask for it. */
export type BatchRow = DecoderRow & {
  slot: number;
  done: boolean;
  /** Tokens whose keys and values are held. */
  length: number;
  lastButOne: number;
  latestTimestamp: number;
  readonly timed: boolean;
  readonly suppress: Float32Array;
};

export type Advanced = { tokens: number[]; logProbabilities: number[] };

export function newRow({ timed, suppress }: JoiningWindow, vocabulary: Vocabulary): BatchRow {
  // Before the first token the rules take what stands there for a closed pair of timestamps.
  const none = { last: 0, lastButOne: vocabulary.firstTimestamp, latestTimestamp: 0 };
  return { slot: 0, length: 0, done: false, timed, suppress, ...none };
}

/** Sets a row's first token. */
export function beginRow(row: BatchRow, token: number, { endOfText, firstTimestamp }: Vocabulary) {
  row.last = token;
  row.done = token === endOfText;
  if (token >= firstTimestamp) row.latestTimestamp = token;
}

/** Takes a row out of `rows`; the last row takes its place. */
export function removeRow(rows: BatchRow[], row: BatchRow) {
  const last = rows.pop();
  if (!last) throw new SpeechError("internal", "a row left an empty batch");
  if (last === row) return;
  last.slot = row.slot;
  rows[row.slot] = last;
}

/** What is added to the logits of rows that choose, in the two parts that graphs take. */
export function suppressTensors(rows: readonly BatchRow[], vocabulary: Vocabulary, prefix = "suppress") {
  return biasTensors(
    rows.map(({ suppress }) => suppress),
    vocabulary,
    prefix,
  );
}

export function biasTensors(sets: readonly Float32Array[], { endOfText, size }: Vocabulary, prefix: string) {
  // One set for all is the rule; then it is not repeated.
  const biases = sets.every((set) => set === sets[0]) ? sets.slice(0, 1) : sets;
  const part = (from: number, to: number) => {
    const values = new Float32Array(biases.length * (to - from));
    for (const [i, set] of biases.entries()) values.set(set.subarray(from, to), i * (to - from));
    return new Tensor("float32", values, [biases.length, to - from]);
  };
  return { [`${prefix}_text`]: part(0, endOfText), [`${prefix}_rest`]: part(endOfText, size) };
}

export const int32 = (values: readonly number[], dims: readonly number[] = [values.length]) =>
  new Tensor("int32", Int32Array.from(values), dims);
