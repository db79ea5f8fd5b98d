import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { DecoderShape } from "./batch-row.ts";
import { type Cross, crossTensor, crossValues } from "./cross-tensors.ts";
import type { SlotValues } from "./slot-buffer.ts";

/**
 * `scores` `[compiled heads, tokens, positions]`, scaled attention scores before softmax, and `probabilities` `[tokens]`:
 * that of the token after each, among text.
 */
export type AlignedRow = { scores: Float32Array; probabilities: Float32Array; positions: number };

/** Feeds the tokens of several windows to the alignment graph, in one run. */
export async function teacherForce(
  session: InferenceSession,
  { positions, vocabulary }: DecoderShape,
  compiledHeads: number,
  windows: readonly { cross: Cross; tokens: readonly number[] }[],
  wantsProbabilities: boolean,
): Promise<AlignedRow[]> {
  const longest = Math.max(...windows.map(({ tokens }) => tokens.length));
  const ids = new Int32Array(windows.length * longest);
  const targets = new Int32Array(windows.length * longest).fill(vocabulary.endOfText);
  for (const [i, { tokens }] of windows.entries()) {
    ids.set(tokens, i * longest);
    targets.set(tokens.slice(1), i * longest);
  }
  const feeds: Record<string, Tensor> = {
    ids: new Tensor("int32", ids, [windows.length, longest]),
    targets: new Tensor("int32", targets, [windows.length, longest]),
    wants_probabilities: new Tensor("bool", [wantsProbabilities], []),
  };
  for (const name of session.inputNames.filter((input) => input.startsWith("cross_"))) {
    const first = windows[0].cross[name];
    const values = crossValues(first, windows.length * first.size);
    for (const [i, { cross }] of windows.entries()) values.set(cross[name].data as SlotValues, i * first.size);
    feeds[name] = crossTensor(first, values, windows.length);
  }
  const output = await session.run(feeds);
  const all = output.scores.data as Float32Array;
  const probabilities = output.probabilities.data as Float32Array;
  const headRow = longest * positions;
  return windows.map(({ tokens }, i) => {
    const scores = new Float32Array(compiledHeads * tokens.length * positions);
    for (let head = 0; head < compiledHeads; head++) {
      const from = (i * compiledHeads + head) * headRow;
      scores.set(all.subarray(from, from + tokens.length * positions), head * tokens.length * positions);
    }
    return { scores, probabilities: probabilities.slice(i * longest, i * longest + tokens.length), positions };
  });
}

export function softmax(values: Float32Array) {
  let maximum = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > maximum) maximum = value;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.exp(values[i] - maximum);
    sum += values[i];
  }
  for (let i = 0; i < values.length; i++) values[i] /= sum;
}
