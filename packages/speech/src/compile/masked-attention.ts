import type { GraphBuilder } from "./graph-builder.ts";

/**
 * Self-attention from operators that every provider has, for rows that each stand at a place of their own. Keys are held
 * as `[rows, heads, headSize, capacity]` and values as `[rows, heads, capacity, headSize]`, a row's tokens from 0 on: the
 * products need no transposes.
 */
export type HeadShape = { heads: number; headSize: number };

/** What stands in for −∞ before a softmax. */
const UNSEEN = -1e9;

/** Query, key and value of one matrix, split. */
function split(g: GraphBuilder, joined: string, { heads, headSize }: HeadShape): string[] {
  const width = heads * headSize;
  return g.ops("Split", [joined, g.ids(width, width, width)], 3, { attributes: { axis: { int: -1 } } });
}

function scaled(g: GraphBuilder, query: string, { headSize }: HeadShape): string {
  return g.op("Mul", [query, g.float(1 / Math.sqrt(headSize))]);
}

function see(g: GraphBuilder, query: string, key: string, value: string, mask: string): string {
  const scores = g.op("Add", [g.op("MatMul", [query, key]), mask]);
  const shares = g.op("Softmax", [scores], { attributes: { axis: { int: -1 } } });
  return g.op("MatMul", [shares, value]);
}

/** What a whole prompt does not see of itself, by its places int32 `[new]`: to be added to scores `[…, new, new]`. */
export function causalMask(g: GraphBuilder, places: string): string {
  const later = g.op("Greater", [g.op("Unsqueeze", [places, g.ids(0)]), g.op("Unsqueeze", [places, g.ids(1)])]);
  return g.op("Where", [later, g.float(UNSEEN), g.float(0)]);
}

/** Attention within whole prompts; keys and values of their tokens alone. */
export function attendPrompt(g: GraphBuilder, joined: string, shape: HeadShape, mask: string) {
  const [query, key, value] = split(g, joined, shape).map((part, i) => {
    const byHead = g.op("Reshape", [part, g.ids(0, 0, shape.heads, shape.headSize)]);
    return g.op("Transpose", [byHead], { attributes: { perm: i === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3] } });
  });
  const seen = g.op("Transpose", [see(g, scaled(g, query, shape), key, value, mask)], {
    attributes: { perm: [0, 2, 1, 3] },
  });
  return { seen: g.op("Reshape", [seen, g.ids(0, 0, shape.heads * shape.headSize)]), key, value };
}

/** Where rows stand that get one token each, as `attendStep` needs it. */
export type Standing = { keyPlace: string; valuePlace: string; mask: string };

/** `past` int32 `[rows]`: tokens that each row holds, fewer than `capacity`. */
export function standingOf(g: GraphBuilder, past: string, capacity: number): Standing {
  const all = g.constant(
    "int32",
    Array.from({ length: capacity }, (_, i) => i),
  );
  const own = g.op("Unsqueeze", [past, g.ids(1)]);
  const now = g.op("Equal", [all, own]);
  const mask = g.op("Where", [g.op("Greater", [all, own]), g.float(UNSEEN), g.float(0)]);
  return {
    keyPlace: g.op("Unsqueeze", [now, g.ids(1, 2)]),
    valuePlace: g.op("Unsqueeze", [now, g.ids(1, 3)]),
    mask: g.op("Unsqueeze", [mask, g.ids(1, 2)]),
  };
}

/** Attention of one token a row to all that the row holds, itself included; the keys and values with it put in. */
export function attendStep(
  g: GraphBuilder,
  joined: string,
  shape: HeadShape,
  held: { key: string; value: string },
  { keyPlace, valuePlace, mask }: Standing,
) {
  const { heads, headSize } = shape;
  const [query, newKey, newValue] = split(g, joined, shape);
  const byHead = (x: string, ...last: [number, number]) => g.op("Reshape", [x, g.ids(-1, heads, ...last)]);
  const key = g.op("Where", [keyPlace, byHead(newKey, headSize, 1), held.key]);
  const value = g.op("Where", [valuePlace, byHead(newValue, 1, headSize), held.value]);
  const seen = see(g, scaled(g, byHead(query, 1, headSize), shape), key, value, mask);
  return { seen: g.op("Reshape", [seen, g.ids(-1, 1, heads * headSize)]), key, value };
}
