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

/** What is held of a layer's keys and values, by kind; keys in bytes lie as a product of a query with them wants, in tiles. */
const PARTS: Record<CrossForm, Record<string, Part>> = {
  fp32: {
    cross_key: { type: "float32", dims: ({ heads, positions, headSize }) => [heads, positions, headSize] },
    cross_value: { type: "float32", dims: ({ heads, positions, headSize }) => [heads, positions, headSize] },
  },
  bytes: {
    cross_key: { type: "int8", dims: (shape) => [shape.heads, ...tilesOf(shape)] },
    cross_key_scale: { type: "float32", dims: ({ heads, positions }) => [heads, 1, positions] },
    cross_value: { type: "int8", dims: ({ heads, positions, headSize }) => [heads, positions, headSize] },
    cross_value_scale: { type: "float32", dims: ({ heads, headSize }) => [heads, 1, headSize] },
  },
};

/** Positions of a tile of keys: the most that measured well. */
const MOST_IN_TILE = 128;
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

/**
 * How the keys of a head lie: in tiles of so many positions, one behind the other. A product with all of them at once reads
 * `headSize` places at a time that lie `positions` apart, which takes twice as long.
 */
function tilesOf({ positions, headSize }: CrossShape): [tiles: number, headSize: number, tile: number] {
  let tile = Math.min(MOST_IN_TILE, positions);
  while (positions % tile !== 0) tile--;
  return [positions / tile, headSize, tile];
}

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
  const made = form === "fp32" ? { cross_key: key, cross_value: value } : toBytes(g, shape, key, value);
  for (const [kind, { type, dims }] of Object.entries(PARTS[form])) {
    g.output(`${kind}.${layer}`, made[kind as keyof typeof made] ?? "", type, [rows, ...dims(shape)]);
  }
}

function toBytes(g: GraphBuilder, shape: CrossShape, key: string, value: string) {
  const [tiles, headSize, tile] = tilesOf(shape);
  const scaleOver = (x: string, axis: number) => {
    const largest = g.op("ReduceMax", [g.op("Abs", [x]), g.ids(axis)], KEEP);
    return g.op("Mul", [g.op("Max", [largest, g.float(LEAST)]), g.float(1 / STEPS)]);
  };
  // No QuantizeLinear: onnxruntime moves transposes across it and loses which axis its blocks lie on.
  const quantize = (x: string, scale: string) =>
    g.op("Cast", [g.op("Round", [g.op("Div", [x, scale])])], { attributes: { to: { int: TYPES.int8 } } });
  const turn = (x: string) => g.op("Transpose", [x], { attributes: { perm: [0, 1, 3, 2] } });
  const keyScale = scaleOver(key, 3);
  const valueScale = scaleOver(value, 2);
  return {
    cross_key: g.op(
      "Transpose",
      [g.op("Reshape", [quantize(key, keyScale), g.ids(0, shape.heads, tiles, tile, headSize)])],
      { attributes: { perm: [0, 1, 2, 4, 3] } },
    ),
    cross_key_scale: turn(keyScale),
    cross_value: quantize(value, valueScale),
    cross_value_scale: valueScale,
  };
}

/** What queries `[rows, new, width]` see of layer `i`'s audio, `[rows, new, width]`. */
export function lookAcross(g: GraphBuilder, form: CrossForm, shape: CrossShape, query: string, i: number): string {
  if (form === "fp32") return attend(g, shape, query, [`cross_key.${i}`, `cross_value.${i}`]);
  const { heads, headSize } = shape;
  const cast = (x: string, type: ElementType) => g.op("Cast", [x], { attributes: { to: { int: TYPES[type] } } });
  const swapped = (x: string) => g.op("Transpose", [x], { attributes: { perm: [0, 2, 1, 3] } });

  const byHead = swapped(g.op("Reshape", [query, g.ids(0, 0, heads, headSize)]));
  const largest = g.op("Max", [g.op("ReduceMax", [g.op("Abs", [byHead]), g.ids(-1)], KEEP), g.float(LEAST)]);
  const steps = g.op("Mul", [byHead, g.op("Div", [g.float(STEPS), largest])]);
  // What is positive is rounded by cutting.
  const asked = cast(g.op("Add", [steps, g.float(MIDDLE + 0.5)]), "uint8");
  const middle = g.constant("uint8", [MIDDLE], []);
  const byTile = g.op("MatMulInteger", [g.op("Unsqueeze", [asked, g.ids(2)]), `cross_key.${i}`, middle]);
  const inOrder = g.op("Transpose", [byTile], { attributes: { perm: [0, 1, 3, 2, 4] } });
  const dots = cast(g.op("Reshape", [inOrder, g.ids(0, 0, 0, shape.positions)]), "float32");
  const step = g.op("Mul", [largest, g.float(1 / (STEPS * Math.sqrt(headSize)))]);
  const shares = g.op("Softmax", [g.op("Mul", [dots, g.op("Mul", [`cross_key_scale.${i}`, step])])]);

  // Most of 1500 shares are far below a step of the largest, and together they count: what is added before the cut differs
  // from position to position, so that of many small ones so many are rounded up as their sum is worth.
  const most = g.op("ReduceMax", [shares, g.ids(-1)], KEEP);
  const raised = g.op("Mul", [shares, g.op("Div", [g.float(MOST), most])]);
  const dither = Array.from({ length: shape.positions }, (_, position) => (0.5 + position * GOLDEN) % 1);
  const rounded = cast(g.op("Add", [raised, g.constant("float32", dither)]), "uint8");
  const sum = cast(g.op("MatMulInteger", [rounded, `cross_value.${i}`]), "float32");
  const unit = g.op("Mul", [`cross_value_scale.${i}`, g.op("Mul", [most, g.float(1 / MOST)])]);
  return g.op("Reshape", [swapped(g.op("Mul", [sum, unit])), g.ids(0, 0, heads * headSize)]);
}

/** The same of keys and values in fp32, whatever they are called. */
export function attend(g: GraphBuilder, { heads }: CrossShape, query: string, held: readonly [string, string]): string {
  return g.op("MultiHeadAttention", [query, ...held], { domain: MICROSOFT, attributes: { num_heads: { int: heads } } });
}

/** Layer `i`'s key or value as fp32 `[rows, heads, positions, headSize]`. */
export function crossInFloats(
  g: GraphBuilder,
  form: CrossForm,
  shape: CrossShape,
  kind: "cross_key" | "cross_value",
  i: number,
): string {
  if (form === "fp32") return `${kind}.${i}`;
  const floats = g.op("Cast", [`${kind}.${i}`], { attributes: { to: { int: TYPES.float32 } } });
  if (kind === "cross_value") return g.op("Mul", [floats, `${kind}_scale.${i}`]);
  const turned = g.op("Transpose", [floats], { attributes: { perm: [0, 1, 2, 4, 3] } });
  const byPosition = g.op("Reshape", [turned, g.ids(0, shape.heads, shape.positions, shape.headSize)]);
  const scale = g.op("Transpose", [`${kind}_scale.${i}`], { attributes: { perm: [0, 1, 3, 2] } });
  return g.op("Mul", [byPosition, scale]);
}
