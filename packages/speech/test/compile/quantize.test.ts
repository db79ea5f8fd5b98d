import { describe, expect, test } from "@jest/globals";
import { equalizeInputs } from "../../src/compile/equalize-inputs.ts";
import { transposed } from "../../src/compile/projection.ts";
import { quantizeBlocks, quantizeOutputs } from "../../src/compile/quantize-weights.ts";

const random = (length: number, seed = 7) => {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 48271) >>> 0) % 0x7fffffff;
    return state / 0x7fffffff - 0.5;
  });
};

describe("weights in 8 bit", () => {
  test("lie within half a step of what they were, transposed, with a scale for each output", () => {
    const weights = random(6 * 40);
    const { values, scales } = quantizeOutputs(weights, 6, 40);
    for (let o = 0; o < 6; o++) {
      for (let i = 0; i < 40; i++) {
        const back = values[i * 6 + o] * scales[o];
        expect(Math.abs(back - weights[o * 40 + i])).toBeLessThanOrEqual(scales[o] * 0.5001);
      }
    }
  });

  test.each([4, 8] as const)("lie within half a step in blocks of %i bit", (bits) => {
    const weights = random(3 * 64);
    const { values, scales } = quantizeBlocks(weights, 3, 64, bits, 32);
    for (const [i, weight] of weights.entries()) {
      const held = bits === 8 ? values[i] : (values[i >> 1] >> (4 * (i % 2))) & 15;
      const scale = scales[Math.floor(i / 32)];
      expect(Math.abs((held - (1 << (bits - 1))) * scale - weight)).toBeLessThanOrEqual(scale * 0.5001);
    }
  });

  test("a matrix of zeros stays one", () => {
    expect(quantizeOutputs(new Float32Array(4), 2, 2).values).toEqual(new Int8Array(4));
    expect(quantizeBlocks(new Float32Array(32), 1, 32, 8, 32).values).toEqual(new Uint8Array(32).fill(128));
  });
});

test("transposing moves rows to columns", () => {
  const values = random(35 * 70);
  const turned = transposed(values, 35, 70);
  for (const [row, column] of [
    [0, 0],
    [34, 69],
    [33, 1],
    [2, 64],
  ]) {
    expect(turned[column * 35 + row]).toBe(values[row * 70 + column]);
  }
});

test("channels that a LayerNorm makes 30 times larger, and the matrix 30 times smaller, are levelled out", () => {
  const width = 16;
  const norm = { name: "norm", gain: random(width).map((x) => x + 1), bias: random(width, 3) };
  const linear = { name: "linear", weights: random(8 * width), inputs: width, outputs: 8 };
  const loud = {
    norm: { ...norm, gain: norm.gain.map(amplify(30)), bias: norm.bias.map(amplify(30)) },
    linear: { ...linear, weights: linear.weights.map((weight, i) => (i % width < 4 ? weight / 30 : weight)) },
  };
  const plain = equalizeInputs(norm, [linear]);
  const levelled = equalizeInputs(loud.norm, [loud.linear]);
  for (const [i, weight] of plain.linears[0].weights.entries()) {
    expect(levelled.linears[0].weights[i]).toBeCloseTo(weight, 5);
  }
  for (const [i, gain] of plain.norm.gain.entries()) expect(levelled.norm.gain[i]).toBeCloseTo(gain, 5);
  // The function itself has not changed.
  for (const [i, factor] of plain.factors.entries()) {
    expect(plain.norm.gain[i] * factor).toBeCloseTo(norm.gain[i], 5);
    expect(plain.linears[0].weights[i] / factor).toBeCloseTo(linear.weights[i], 5);
  }
});

const amplify = (factor: number) => (value: number, channel: number) => (channel < 4 ? value * factor : value);
