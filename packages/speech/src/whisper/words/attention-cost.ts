/**
 * The cost of hearing each token at each position, from attention probabilities `[heads, tokens, positions]`: cropped to
 * the first `width` positions and scaled to sum to one, standardised over the tokens, smoothed by a median along time,
 * averaged over the heads, negated. Answers `[tokens, width]`. As in Whisper's published word timing.
 */
export function attentionCost(
  weights: Float32Array,
  shape: { heads: number; tokens: number; positions: number },
  width: number,
  medianWidth: number,
): Float32Array {
  const { heads, tokens, positions } = shape;
  const cost = new Float32Array(tokens * width);
  const head = new Float32Array(tokens * width);
  for (let h = 0; h < heads; h++) {
    for (let token = 0; token < tokens; token++) {
      const from = (h * tokens + token) * positions;
      let sum = 0;
      for (let i = 0; i < width; i++) sum += weights[from + i];
      for (let i = 0; i < width; i++) head[token * width + i] = sum > 0 ? weights[from + i] / sum : 1 / width;
    }
    standardise(head, tokens, width);
    for (let token = 0; token < tokens; token++) {
      const row = head.subarray(token * width, (token + 1) * width);
      const smooth = medianFilter(row, medianWidth);
      for (let i = 0; i < width; i++) cost[token * width + i] -= smooth[i] / heads;
    }
  }
  return cost;
}

/** Subtracts the mean and divides by the deviation of each column of `[rows, width]`, in place. */
function standardise(values: Float32Array, rows: number, width: number) {
  for (let i = 0; i < width; i++) {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += values[row * width + i];
    const mean = sum / rows;
    let squares = 0;
    for (let row = 0; row < rows; row++) squares += (values[row * width + i] - mean) ** 2;
    const deviation = Math.sqrt(squares / rows);
    for (let row = 0; row < rows; row++) {
      const place = row * width + i;
      values[place] = deviation > 0 ? (values[place] - mean) / deviation : 0;
    }
  }
}

/** Median over an odd `width`, the ends mirrored; values too few for that stay as they are. */
export function medianFilter(values: Float32Array, width: number): Float32Array {
  const half = width >> 1;
  if (values.length <= half) return values.slice();
  const result = new Float32Array(values.length);
  const sorted = new Float32Array(2 * half + 1);
  for (let i = 0; i < values.length; i++) {
    for (let k = -half; k <= half; k++) {
      let index = Math.abs(i + k);
      if (index >= values.length) index = 2 * (values.length - 1) - index;
      const value = values[index];
      let place = k + half;
      while (place > 0 && sorted[place - 1] > value) {
        sorted[place] = sorted[place - 1];
        place--;
      }
      sorted[place] = value;
    }
    result[i] = sorted[half];
  }
  return result;
}
