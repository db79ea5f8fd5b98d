import { describe, expect, test } from "@jest/globals";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { attend, giveCross, lookAcross } from "../../src/compile/cross-attention.ts";
import { GraphBuilder } from "../../src/compile/graph-builder.ts";
import { hasSignedProducts } from "../../src/compile/signed-products.ts";

const SHAPE = { heads: 2, positions: 150, headSize: 16 };
const WIDTH = SHAPE.heads * SHAPE.headSize;

const random = (length: number, seed: number) => {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 48271) >>> 0) % 0x7fffffff;
    return state / 0x7fffffff - 0.5;
  });
};

/** What queries see of keys and values that are held as bytes, and of the same in 32 bit. */
async function look({ query, key, value }: Record<"query" | "key" | "value", Float32Array>, rows: number) {
  const g = new GraphBuilder();
  const { heads, positions, headSize } = SHAPE;
  g.input("query", "float32", ["rows", "new", WIDTH]);
  for (const name of ["key", "value"]) g.input(name, "float32", ["rows", heads, positions, headSize]);
  giveCross(g, "bytes", SHAPE, { layer: 0, key: "key", value: "value", rows: "rows" });
  g.output("bytes", lookAcross(g, "bytes", SHAPE, "query", 0), "float32", ["rows", "new", WIDTH]);
  g.output("floats", attend(g, SHAPE, "query", ["key", "value"]), "float32", ["rows", "new", WIDTH]);
  const session = await InferenceSession.create(g.toBytes(), { executionProviders: ["cpu"] });
  const held = [rows, heads, positions, headSize];
  const { bytes, floats } = await session.run({
    query: new Tensor("float32", query, [rows, query.length / rows / WIDTH, WIDTH]),
    key: new Tensor("float32", key, held),
    value: new Tensor("float32", value, held),
  });
  await session.release();
  return { bytes: bytes.data as Float32Array, floats: floats.data as Float32Array };
}

const heldSize = WIDTH * SHAPE.positions;
/** The largest difference, as a share of the largest value. */
function apart({ bytes, floats }: { bytes: Float32Array; floats: Float32Array }): number {
  const largest = Math.max(...floats.map(Math.abs));
  return Math.max(...bytes.map((value, i) => Math.abs(value - floats[i]))) / largest;
}

describe("cross-attention over keys and values in 8 bit", () => {
  test.each([
    ["sharp", 40],
    ["broad", 2],
  ])("sees what it sees in 32 bit, where attention is %s", async (_how, factor) => {
    const heard = {
      query: random(2 * 3 * WIDTH, 1).map((x) => factor * x),
      key: random(2 * heldSize, 2),
      value: random(2 * heldSize, 3),
    };
    expect(apart(await look(heard, 2))).toBeLessThan(0.03);
  });

  test("keeps what is quiet beside what is loud: positions of the keys, channels of the values", async () => {
    const key = random(heldSize, 4).map((x, i) => (Math.floor(i / SHAPE.headSize) % 7 === 0 ? 20 * x : x));
    const value = random(heldSize, 5).map((x, i) => (i % SHAPE.headSize === 3 ? 100 * x : x));
    const heard = await look({ query: random(WIDTH, 6), key, value }, 1);
    const quiet = (all: Float32Array) => all.filter((_, i) => i % SHAPE.headSize !== 3);
    expect(apart({ bytes: quiet(heard.bytes), floats: quiet(heard.floats) })).toBeLessThan(0.03);
  });

  test("counts many small shares beside a large one", async () => {
    // One position has four fifths, the other 149 the rest: each less than a step of a byte of the largest.
    const key = new Float32Array(heldSize);
    for (let head = 0; head < SHAPE.heads; head++)
      key[head * SHAPE.positions * SHAPE.headSize] = Math.log(SHAPE.positions * 4) * 4;
    const query = new Float32Array(WIDTH).map((_, i) => (i % SHAPE.headSize === 0 ? 1 : 0));
    const value = new Float32Array(heldSize).map((_, i) =>
      Math.floor(i / SHAPE.headSize) % SHAPE.positions === 0 ? 0 : 1,
    );
    const { bytes, floats } = await look({ query, key, value }, 1);
    for (const [i, share] of bytes.entries()) expect(share).toBeCloseTo(floats[i], 2);
    expect(Math.min(...floats)).toBeGreaterThan(0.1);
  });

  test("a row's result does not depend on its neighbours, and nothing is nothing", async () => {
    const [query, key, value] = [random(2 * WIDTH, 7), random(2 * heldSize, 8), random(2 * heldSize, 9)];
    const together = await look({ query, key, value }, 2);
    const part = (all: Float32Array) => all.slice(all.length / 2);
    const alone = await look({ query: part(query), key: part(key), value: part(value) }, 1);
    expect(part(together.bytes)).toEqual(alone.bytes);
    const zeros = {
      query: new Float32Array(WIDTH),
      key: new Float32Array(heldSize),
      value: new Float32Array(heldSize),
    };
    expect((await look(zeros, 1)).bytes).toEqual(new Float32Array(WIDTH));
  });
});

test.each([
  ["one row", 1, 64, 1500],
  ["one long row", 1, 1500, 64],
  ["several", 3, 64, 1500],
])(
  "a processor that says it multiplies bytes exactly does, the largest too: %s",
  async (_what, rows, inner, columns) => {
    const g = new GraphBuilder();
    g.input("left", "uint8", ["rows", "inner"]);
    g.input("right", "int8", ["inner", "columns"]);
    g.output("sums", g.op("MatMulInteger", ["left", "right"]), "int32", ["rows", "columns"]);
    const session = await InferenceSession.create(g.toBytes(), { executionProviders: ["cpu"] });
    const { sums } = await session.run({
      left: new Tensor("uint8", new Uint8Array(rows * inner).fill(255), [rows, inner]),
      right: new Tensor("int8", new Int8Array(inner * columns).fill(127), [inner, columns]),
    });
    await session.release();
    const isExact = (sums.data as Int32Array).every((sum) => sum === 255 * 127 * inner);
    expect(isExact || !(await hasSignedProducts())).toBe(true);
  },
);
