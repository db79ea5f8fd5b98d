/** A matrix `[outputs, inputs]` in 8 bit, transposed for `MatMulInteger`, with a scale for each output. */
export type RowQuantized = { values: Int8Array; scales: Float32Array };

const SMALLEST_SCALE = 1e-8;

/**
 * Symmetric 8 bit quantization with one scale an output: `weights[o][i] ≈ values[i][o] * scales[o]`, |values| ≤ 127.
 */
export function quantizeOutputs(weights: Float32Array, outputs: number, inputs: number): RowQuantized {
  const values = new Int8Array(weights.length);
  const scales = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    const row = weights.subarray(o * inputs, (o + 1) * inputs);
    let largest = 0;
    for (const weight of row) largest = Math.max(largest, Math.abs(weight));
    const scale = Math.fround(Math.max(largest / 127, SMALLEST_SCALE));
    scales[o] = scale;
    for (let i = 0; i < inputs; i++) values[i * outputs + o] = Math.round(row[i] / scale);
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
    let largest = 0;
    for (let i = from; i < from + blockSize; i++) largest = Math.max(largest, Math.abs(weights[i]));
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
