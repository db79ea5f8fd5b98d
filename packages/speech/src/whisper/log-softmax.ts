/** log Σ exp of `values[from … to)`, computed in fp64; −∞ where all are. */
export function logSumExp(values: Float32Array, from = 0, to = values.length): number {
  let maximum = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i++) if (values[i] > maximum) maximum = values[i];
  if (maximum === Number.NEGATIVE_INFINITY) return maximum;
  let sum = 0;
  for (let i = from; i < to; i++) {
    const difference = values[i] - maximum;
    // exp(-88) is below fp32's smallest normal number next to 1: most of a vocabulary needs no exponential.
    if (difference > -88) sum += Math.exp(difference);
  }
  return maximum + Math.log(sum);
}

/** Index of the greatest value, the first of equals; NaN never wins. */
export function indexOfMaximum(values: Float32Array, from = 0, to = values.length): number {
  let best = from;
  let maximum = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i++) {
    if (values[i] > maximum) {
      maximum = values[i];
      best = i;
    }
  }
  return best;
}
