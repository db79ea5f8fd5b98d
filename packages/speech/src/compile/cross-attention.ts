import type { ModelConfig } from "../model/model-config.ts";
import { type Dimension, type ElementType, type GraphBuilder, MICROSOFT, TYPES } from "./graph-builder.ts";

/**
 * How the decoder looks at the audio: `fp32`, or `bytes`: keys and values in 8 bit, a scale for each position's key and for
 * each channel of the values, so that a token reads a quarter of the memory.
 */
export type CrossForm = "fp32" | "bytes";

export type CrossShape = { heads: number; positions: number; headSize: number };

export function crossShape(config: ModelConfig): CrossShape {
  const heads = config.decoder_attention_heads;
  return { heads, positions: config.max_source_positions, headSize: config.d_model / heads };
}

type Part = { type: ElementType; dims: (shape: CrossShape) => number[] };

/**
 * What is held of a layer's keys and values, by kind; keys in bytes lie as a product of a query with them wants.
 * `cross_key_sum` is what each position's key, in bytes, makes of a query that is `MIDDLE` everywhere.
 */
const PARTS: Record<CrossForm, Record<string, Part>> = {
  fp32: {
    cross_key: { type: "float32", dims: ({ heads, positions, headSize }) => [heads, positions, headSize] },
    cross_value: { type: "float32", dims: ({ heads, positions, headSize }) => [heads, positions, headSize] },
  },
  bytes: {
    cross_key: { type: "int8", dims: ({ heads, positions, headSize }) => [heads, headSize, positions] },
    cross_key_scale: { type: "float32", dims: ({ heads, positions }) => [heads, 1, positions] },
    cross_key_sum: { type: "float32", dims: ({ heads, positions }) => [heads, 1, positions] },
    cross_value: { type: "int8", dims: ({ heads, positions, headSize }) => [heads, positions, headSize] },
    cross_value_scale: { type: "float32", dims: ({ heads, headSize }) => [heads, 1, headSize] },
  },
};

/** Steps of a byte on one side of zero, and what raises a signed one to an unsigned one. */
const STEPS = 127;
const MIDDLE = 128;
/** The largest unsigned byte: what the largest share of attention becomes. */
const MOST = 255;
/** Multiples of it, without their whole parts, lie evenly between 0 and 1, and so do any that follow each other. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** Nothing is divided by zero. */
const LEAST = 1e-10;
const KEEP = { attributes: { keepdims: { int: 1 } } };

/** Declares the inputs of a graph that looks at the audio in `layers` layers. */
export function takeCross(g: GraphBuilder, form: CrossForm, shape: CrossShape, layers: number, rows: Dimension) {
  for (let i = 0; i < layers; i++) {
    for (const [kind, { type, dims }] of Object.entries(PARTS[form])) {
      g.input(`${kind}.${i}`, type, [rows, ...dims(shape)]);
    }
  }
}

/** Declares the outputs of a graph that makes layer `i`'s keys and values, fp32 `[rows, heads, positions, headSize]` each. */
export function giveCross(
  g: GraphBuilder,
  form: CrossForm,
  shape: CrossShape,
  { layer, key, value, rows }: { layer: number; key: string; value: string; rows: Dimension },
) {
  const made = form === "fp32" ? { cross_key: key, cross_value: value } : toBytes(g, key, value);
  for (const [kind, { type, dims }] of Object.entries(PARTS[form])) {
    g.output(`${kind}.${layer}`, made[kind as keyof typeof made] ?? "", type, [rows, ...dims(shape)]);
  }
}

function toBytes(g: GraphBuilder, key: string, value: string) {
  const scaleOver = (x: string, axis: number) => {
    const largest = g.op("ReduceMax", [g.op("Abs", [x]), g.ids(axis)], KEEP);
    return g.op("Mul", [g.op("Max", [largest, g.float(LEAST)]), g.float(1 / STEPS)]);
  };
  // No QuantizeLinear: onnxruntime moves transposes across it and loses which axis its blocks lie on.
  const steps = (x: string, scale: string) => g.op("Round", [g.op("Div", [x, scale])]);
  const quantize = (whole: string) => g.op("Cast", [whole], { attributes: { to: { int: TYPES.int8 } } });
  const turn = (x: string) => g.op("Transpose", [x], { attributes: { perm: [0, 1, 3, 2] } });
  const keyScale = scaleOver(key, 3);
  const valueScale = scaleOver(value, 2);
  const keySteps = steps(key, keyScale);
  return {
    cross_key: turn(quantize(keySteps)),
    cross_key_scale: turn(keyScale),
    cross_key_sum: turn(g.op("Mul", [g.op("ReduceSum", [keySteps, g.ids(3)], KEEP), g.float(MIDDLE)])),
    cross_value: quantize(steps(value, valueScale)),
    cross_value_scale: valueScale,
  };
}

/** What queries `[rows, new, width]` see of layer `i`'s audio, `[rows, new, width]`. */
export function lookAcross(g: GraphBuilder, form: CrossForm, shape: CrossShape, query: string, i: number): string {
  if (form === "fp32") return attend(g, shape, query, [`cross_key.${i}`, `cross_value.${i}`]);
  const { heads, headSize } = shape;
  const cast = (x: string, type: ElementType) => g.op("Cast", [x], { attributes: { to: { int: TYPES[type] } } });
  const swapped = (x: string) => g.op("Transpose", [x], { attributes: { perm: [0, 2, 1, 3] } });

  const byHead = g.op("Reshape", [query, g.ids(0, 0, heads, headSize)]);
  const largest = g.op("Max", [g.op("ReduceMax", [g.op("Abs", [byHead]), g.ids(-1)], KEEP), g.float(LEAST)]);
  const steps = g.op("Mul", [byHead, g.op("Div", [g.float(STEPS), largest])]);
  // What is positive is rounded by cutting. Where neither side has a zero point, onnxruntime reads keys and values of a single
  // query where they lie; else it copies them first, which takes half as long again.
  const asked = swapped(cast(g.op("Add", [steps, g.float(MIDDLE + 0.5)]), "uint8"));
  const lifted = cast(g.op("MatMulInteger", [asked, `cross_key.${i}`]), "float32");
  const dots = g.op("Mul", [g.op("Sub", [lifted, `cross_key_sum.${i}`]), `cross_key_scale.${i}`]);
  const step = swapped(g.op("Mul", [largest, g.float(1 / (STEPS * Math.sqrt(headSize)))]));
  const shares = g.op("Softmax", [g.op("Mul", [dots, step])]);

  // Most of 1500 shares are far below a step of the largest, and together they count: what is added before the cut differs
  // from position to position, so that of many small ones so many are rounded up as their sum is worth.
  const raise = g.op("Div", [g.float(MOST), g.op("ReduceMax", [shares, g.ids(-1)], KEEP)]);
  const dither = Array.from({ length: shape.positions }, (_, position) => (0.5 + position * GOLDEN) % 1);
  const rounded = cast(g.op("Add", [g.op("Mul", [shares, raise]), g.constant("float32", dither)]), "uint8");
  const sum = cast(g.op("MatMulInteger", [rounded, `cross_value.${i}`]), "float32");
  const seen = g.op("Div", [g.op("Mul", [sum, `cross_value_scale.${i}`]), raise]);
  return g.op("Reshape", [swapped(seen), g.ids(0, 0, heads * headSize)]);
}

/** The same of keys and values in fp32, whatever they are called. */
export function attend(g: GraphBuilder, { heads }: CrossShape, query: string, held: readonly [string, string]): string {
  return g.op("MultiHeadAttention", [query, ...held], { domain: MICROSOFT, attributes: { num_heads: { int: heads } } });
}

/** Layer `i`'s key or value as fp32 `[rows, heads, positions, headSize]`. */
export function crossInFloats(g: GraphBuilder, form: CrossForm, kind: "cross_key" | "cross_value", i: number): string {
  if (form === "fp32") return `${kind}.${i}`;
  const floats = g.op("Cast", [`${kind}.${i}`], { attributes: { to: { int: TYPES.float32 } } });
  const scaled = g.op("Mul", [floats, `${kind}_scale.${i}`]);
  return kind === "cross_value" ? scaled : g.op("Transpose", [scaled], { attributes: { perm: [0, 1, 3, 2] } });
}
