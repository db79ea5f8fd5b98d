import { indexOfMaximum, logSumExp } from "./log-softmax.ts";

/** Picks a token of `logits` after the rules; what it picks has a finite logit unless none has. */
export type ChooseToken = (logits: Float32Array) => number;

/** The most probable token. */
export const chooseBest: ChooseToken = (logits) => indexOfMaximum(logits);

/** A token by its probability at a temperature above 0; `random` gives numbers in [0, 1). */
export function sampleAt(temperature: number, random: () => number): ChooseToken {
  const scaled = { values: new Float32Array(0) };
  return (logits) => {
    if (scaled.values.length !== logits.length) scaled.values = new Float32Array(logits.length);
    const { values } = scaled;
    for (let i = 0; i < logits.length; i++) values[i] = logits[i] / temperature;
    const total = logSumExp(values);
    let rest = random();
    for (let i = 0; i < values.length; i++) {
      rest -= Math.exp(values[i] - total);
      if (rest < 0) return i;
    }
    // Rounding left a sliver: the most probable token takes it.
    return indexOfMaximum(logits);
  };
}
