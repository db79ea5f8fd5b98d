import { type GraphBuilder, MICROSOFT, TYPES } from "./graph-builder.ts";
import { quantizeBlocks, quantizeOutputs } from "./quantize-weights.ts";

/**
 * How a matrix product is computed: `fp32`; `rows`, 8 bit with one scale a row of activations and one an output of the
 * weights; `blocks`, 8 bit with a scale for each block of inputs on both sides.
 */
export type Arithmetic = "fp32" | "rows" | "blocks";

/** A linear layer: `weights` `[outputs, inputs]` as safetensors hold them. */
export type Linear = {
  name: string;
  weights: Float32Array;
  inputs: number;
  outputs: number;
  bias?: Float32Array | undefined;
};

/** A product whose bias, if any, is still to be added: several operators can do so in passing. */
export type Projected = { value: string; bias: string };

/** Adds matrix products to a graph; rows are quantized once, however many matrices they meet. */
export class Projections {
  readonly #graph: GraphBuilder;
  readonly #arithmetic: Arithmetic;
  readonly #quantized = new Map<string, { values: string; scale: string }>();

  constructor(graph: GraphBuilder, arithmetic: Arithmetic) {
    this.#graph = graph;
    this.#arithmetic = arithmetic;
  }

  /** `x` `[…, inputs]` times a matrix: `[…, outputs]`, without the bias. */
  multiply(x: string, linear: Linear): Projected {
    const { name, bias } = linear;
    const held = bias ? this.#graph.weight(`${name}.bias`, "float32", [bias.length], () => bytes(bias)) : "";
    if (this.#arithmetic === "fp32") return { value: this.#plain(x, linear), bias: held };
    if (this.#arithmetic === "rows") return { value: this.#rows(x, linear), bias: held };
    return { value: this.#blocks(x, linear, held), bias: "" };
  }

  /** The same, bias and all. */
  apply(x: string, linear: Linear): string {
    const { value, bias } = this.multiply(x, linear);
    return bias ? this.#graph.op("Add", [value, bias]) : value;
  }

  #plain(x: string, { name, weights, inputs, outputs }: Linear): string {
    const make = () => bytes(transposed(weights, outputs, inputs));
    return this.#graph.op("MatMul", [x, this.#graph.weight(`${name}.fp32`, "float32", [inputs, outputs], make)]);
  }

  #rows(x: string, { name, weights, inputs, outputs }: Linear): string {
    const g = this.#graph;
    const quantized = once(() => quantizeOutputs(weights, outputs, inputs));
    const values = g.weight(`${name}.int8`, "int8", [inputs, outputs], () => bytes(quantized().values));
    const scales = g.weight(`${name}.scales`, "float32", [outputs], () => bytes(quantized().scales));
    const row = this.#quantizeRows(x, inputs);
    const sums = g.op("MatMulIntegerToFloat", [row.values, values, g.float(1), scales], { domain: MICROSOFT });
    return g.op("Mul", [sums, row.scale]);
  }

  /** 8 bit values of each row by its own largest, and the scale `[…, 1]`. */
  #quantizeRows(x: string, inputs: number): { values: string; scale: string } {
    const known = this.#quantized.get(x);
    if (known) return known;
    const g = this.#graph;
    const largest = g.op("ReduceMax", [g.op("Abs", [x]), g.ids(-1)], { attributes: { keepdims: { int: 1 } } });
    // A row of zeros must not be divided by zero.
    const scale = g.op("Max", [g.op("Mul", [largest, g.float(1 / 127)]), g.float(1e-20)]);
    const attributes = { axis: { int: -1 }, block_size: { int: inputs }, output_dtype: { int: TYPES.int8 } };
    const row = { values: g.op("QuantizeLinear", [x, scale], { attributes }), scale };
    this.#quantized.set(x, row);
    return row;
  }

  #blocks(x: string, { name, weights, inputs, outputs }: Linear, bias: string): string {
    const g = this.#graph;
    const size = blockSize(inputs);
    const quantized = once(() => quantizeBlocks(weights, outputs, inputs, 8, size));
    const dims = [outputs, inputs / size, size];
    const values = g.weight(`${name}.blocks`, "uint8", dims, () => quantized().values);
    const scaleDims = [(outputs * inputs) / size];
    const scales = g.weight(`${name}.block-scales`, "float32", scaleDims, () => bytes(quantized().scales));
    const settings = { K: inputs, N: outputs, bits: 8, block_size: size, accuracy_level: 4 };
    const attributes = Object.fromEntries(Object.entries(settings).map(([key, int]) => [key, { int }]));
    return g.op("MatMulNBits", bias ? [x, values, scales, "", "", bias] : [x, values, scales], {
      domain: MICROSOFT,
      attributes,
    });
  }
}

/** The largest block, up to 128, that divides the inputs. */
function blockSize(inputs: number): number {
  return [128, 64, 32, 16].find((size) => inputs % size === 0) ?? 16;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

export function bytes(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** `[rows, columns]` as `[columns, rows]`, in tiles that stay in the processor's cache. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  const tile = 32;
  for (let top = 0; top < rows; top += tile) {
    for (let left = 0; left < columns; left += tile) {
      for (let row = top; row < Math.min(top + tile, rows); row++) {
        for (let column = left; column < Math.min(left + tile, columns); column++) {
          result[column * rows + row] = values[row * columns + column];
        }
      }
    }
  }
  return result;
}
