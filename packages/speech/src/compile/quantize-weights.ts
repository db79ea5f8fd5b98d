/** A matrix `[outputs, inputs]` in 8 bit, transposed for `MatMulInteger`, with a scale for each output. */
export type RowQuantized = { values: Int8Array; scales: Float32Array };

const SMALLEST_SCALE = 1e-8;
const STRIP = 32;

/**
 * Symmetric 8 bit quantization with one scale an output: `weights[o][i] ≈ values[i][o] * scales[o]`, |values| ≤ 127.
 */
export function quantizeOutputs(weights: Float32Array, outputs: number, inputs: number): RowQuantized {
  const values = new Int8Array(weights.length);
  const scales = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    const largest = largestOf(weights, o * inputs, (o + 1) * inputs);
    scales[o] = Math.max(largest / 127, SMALLEST_SCALE);
  }
  // In strips of inputs, so that the transposed rows being written stay in the processor's cache.
  for (let left = 0; left < inputs; left += STRIP) {
    const right = Math.min(left + STRIP, inputs);
    for (let o = 0; o < outputs; o++) {
      const scale = scales[o];
      for (let i = left; i < right; i++) values[i * outputs + o] = Math.round(weights[o * inputs + i] / scale);
    }
  }
  return { values, scales };
}

/** A matrix in blocks along its inputs, as `MatMulNBits` takes it: `[outputs, blocks, blockSize * bits / 8]`. */
export type BlockQuantized = { values: Uint8Array; scales: Float32Array };

/** Quantization in blocks of `blockSize` inputs, symmetric around the middle of the unsigned range. */
export function quantizeBlocks(
  weights: Float32Array,
  outputs: number,
  inputs: number,
  bits: 4 | 8,
  blockSize: number,
): BlockQuantized {
  const blocks = inputs / blockSize;
  const middle = 1 << (bits - 1);
  const values = new Uint8Array((weights.length * bits) / 8);
  const scales = new Float32Array(outputs * blocks);
  for (let block = 0; block < outputs * blocks; block++) {
    const from = block * blockSize;
    const largest = largestOf(weights, from, from + blockSize);
    const scale = Math.fround(Math.max(largest / (middle - 1), SMALLEST_SCALE));
    scales[block] = scale;
    for (let i = from; i < from + blockSize; i++) {
      const value = Math.min(2 * middle - 1, Math.max(0, Math.round(weights[i] / scale) + middle));
      if (bits === 8) values[i] = value;
      else values[i >> 1] |= i % 2 === 0 ? value : value << 4;
    }
  }
  return { values, scales };
}

function largestOf(values: Float32Array, from: number, to: number): number {
  let largest = 0;
  for (let i = from; i < to; i++) {
    const value = Math.abs(values[i]);
    if (value > largest) largest = value;
  }
  return largest;
}
