import { type GraphBuilder, MICROSOFT, TYPES } from "./graph-builder.ts";
import { quantizeBlocks, quantizeOutputs, type RowQuantized } from "./quantize-weights.ts";

/**
 * How a matrix product is computed: `fp32`; `fp16`, of inputs and weights in 16 bit, the result and all else in 32;
 * `rows`, 8 bit with a scale and a zero for each row of activations and one
 * scale for each output of the weights; `rows-unsigned`, the same with weights around 128; `blocks`, 8 bit with a scale for
 * each block of inputs on both sides.
 */
export type Arithmetic = "fp32" | "fp16" | "rows" | "rows-unsigned" | "blocks";

/**
 * A linear layer: `weights` `[outputs, inputs]` as safetensors hold them. They may be read from the file each time they are
 * asked for: a graph that has a layer several times asks once.
 */
export type Linear = {
  name: string;
  readonly weights: Float32Array;
  inputs: number;
  outputs: number;
  bias?: Float32Array | undefined;
  /** A bound that no input lies below, where it is much nearer to zero than the largest inputs. */
  lowest?: number;
};

/** The same layer with other properties; its weights are still not read. */
export function withProperties(linear: Linear, properties: Partial<Omit<Linear, "weights">>): Linear {
  const { name, inputs, outputs, bias, lowest } = linear;
  return {
    ...{ name, inputs, outputs, bias, ...(lowest !== undefined && { lowest }) },
    ...properties,
    get weights() {
      return linear.weights;
    },
  };
}

/** A product whose bias, if any, is still to be added: several operators can do so in passing. */
export type Projected = { value: string; bias: string };

/** Adds matrix products to a graph; rows are quantized once, however many matrices they meet. */
export class Projections {
  readonly #graph: GraphBuilder;
  readonly #arithmetic: Arithmetic;
  readonly #quantized = new Map<string, QuantizedRows>();
  readonly #half = new Map<string, string>();

  constructor(graph: GraphBuilder, arithmetic: Arithmetic) {
    this.#graph = graph;
    this.#arithmetic = arithmetic;
  }

  /** `x` `[…, inputs]` times a matrix: `[…, outputs]`, without the bias. */
  multiply(x: string, linear: Linear): Projected {
    const { name, bias } = linear;
    const held = bias ? this.#graph.weight(`${name}.bias`, "float32", [bias.length], () => bytes(bias)) : "";
    if (this.#arithmetic === "fp32") return { value: this.#plain(x, linear), bias: held };
    if (this.#arithmetic === "fp16") return { value: this.#halves(x, linear), bias: held };
    if (this.#arithmetic !== "blocks") return { value: this.#rows(x, linear), bias: held };
    return { value: this.#blocks(x, linear, held), bias: "" };
  }

  /** The same, bias and all. */
  apply(x: string, linear: Linear): string {
    const { value, bias } = this.multiply(x, linear);
    return bias ? this.#graph.op("Add", [value, bias]) : value;
  }

  /** About the same in 8 bit, whatever the arithmetic, and without the bias. */
  approximate(x: string, linear: Linear): string {
    return this.#blocks(x, linear, "");
  }

  #plain(x: string, linear: Linear): string {
    const { name, inputs, outputs } = linear;
    const make = () => bytes(transposed(linear.weights, outputs, inputs));
    return this.#graph.op("MatMul", [x, this.#graph.weight(`${name}.fp32`, "float32", [inputs, outputs], make)]);
  }

  #halves(x: string, linear: Linear): string {
    const g = this.#graph;
    const { name, inputs, outputs } = linear;
    const make = () => bytes(new Float16Array(transposed(linear.weights, outputs, inputs)));
    const cast = (value: string, type: "float16" | "float32") =>
      g.op("Cast", [value], { attributes: { to: { int: TYPES[type] } } });
    // Several matrices read the same input: it is cut to half once.
    const half = this.#half.get(x) ?? cast(x, "float16");
    this.#half.set(x, half);
    return cast(g.op("MatMul", [half, g.weight(`${name}.fp16`, "float16", [inputs, outputs], make)]), "float32");
  }

  #rows(x: string, linear: Linear): string {
    const g = this.#graph;
    const { name, inputs, outputs, lowest } = linear;
    const quantized = once(() => quantizeOutputs(linear.weights, outputs, inputs));
    const unsigned = this.#arithmetic === "rows-unsigned";
    const values = unsigned
      ? g.weight(`${name}.uint8`, "uint8", [inputs, outputs], () => raised(quantized().values))
      : g.weight(`${name}.int8`, "int8", [inputs, outputs], () => bytes(quantized().values));
    const zero = unsigned ? ["", g.constant("uint8", [MIDDLE], [])] : [];
    const scales = g.weight(`${name}.scales`, "float32", [outputs], () => bytes(quantized().scales));
    const ones = g.weight(`${name}.sums`, "float32", [outputs], () => bytes(sumsOf(quantized(), outputs)));
    const row = this.#quantizeRows(x, inputs, lowest);
    const factors = [row.values, values, g.float(1), scales, ...zero];
    const sums = g.op("MatMulIntegerToFloat", factors, { domain: MICROSOFT });
    return g.op("Sub", [g.op("Mul", [sums, row.scale]), g.op("Mul", [row.lift, ones])]);
  }

  /**
   * Each row in 255 steps from its own smallest value to its largest. Unsigned, as x64 has no fast product of two
   * signed matrices; the zero of each row is taken out of the product afterwards.
   */
  #quantizeRows(x: string, inputs: number, lowest: number | undefined): QuantizedRows {
    const known = this.#quantized.get(x);
    if (known) return known;
    const g = this.#graph;
    const keep = { attributes: { keepdims: { int: 1 } } };
    // Zero lies within, and a row of zeros must not be divided by zero.
    const high = g.op("Max", [g.op("ReduceMax", [x, g.ids(-1)], keep), g.float(0)]);
    const low =
      lowest === undefined ? g.op("Min", [g.op("ReduceMin", [x, g.ids(-1)], keep), g.float(-1e-20)]) : g.float(lowest);
    const scale = g.op("Mul", [g.op("Sub", [high, low]), g.float(1 / 254)]);
    const zero = g.op("Round", [g.op("Neg", [g.op("Div", [low, scale])])]);
    const zeroByte = g.op("Cast", [zero], { attributes: { to: { int: TYPES.uint8 } } });
    const attributes = { axis: { int: -1 }, block_size: { int: inputs } };
    const values = g.op("QuantizeLinear", [x, scale, zeroByte], { attributes });
    const row = { values, scale, lift: g.op("Mul", [scale, zero]) };
    this.#quantized.set(x, row);
    return row;
  }

  #blocks(x: string, linear: Linear, bias: string): string {
    const g = this.#graph;
    const { name, inputs, outputs } = linear;
    const size = blockSize(inputs);
    const quantized = once(() => quantizeBlocks(linear.weights, outputs, inputs, 8, size));
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

/** 8 bit values, and `[…, 1]` each row's scale and what its values were raised by. */
type QuantizedRows = { values: string; scale: string; lift: string };

/** Stands for zero among unsigned bytes. */
const MIDDLE = 128;

function raised(values: Int8Array): Uint8Array {
  return Uint8Array.from(values, (value) => value + MIDDLE);
}

/** What each output is for inputs that are all 1. */
function sumsOf({ values, scales }: RowQuantized, outputs: number): Float32Array {
  const sums = new Float32Array(outputs);
  for (let i = 0; i < values.length; i++) sums[i % outputs] += values[i];
  return sums.map((sum, o) => sum * scales[o]);
}

/** The largest block, up to 32, that divides the inputs; larger ones are less exact (64: half as much again off), and no faster. */
function blockSize(inputs: number): number {
  return [32, 16].find((size) => inputs % size === 0) ?? 16;
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
