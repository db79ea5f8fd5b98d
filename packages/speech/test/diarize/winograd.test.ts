import { describe, expect, test } from "@jest/globals";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { seededRandom } from "../../src/diarize/gaussian/gaussian-mixture.ts";
import { TRUNK_OUTPUT } from "../../src/diarize/neural/cut-at-pooling.ts";
import { cookToom } from "../../src/diarize/neural/winograd/cook-toom.ts";
import { openTrunk } from "../../src/diarize/neural/winograd/open-trunk.ts";
import { graph, valueInfo } from "./generated-networks.ts";

const OPTIONS: InferenceSession.SessionOptions = { executionProviders: ["cpu"], intraOpNumThreads: 1 };

describe("a correlation by values at points", () => {
  test.each([
    [3, [0, 1, -1]],
    [3, [0, 1, -1, 2, -2, 0.5]],
    [5, [0, 1, -1, 2, -2]],
  ])("of %i weights is the one by its definition", (taps, points) => {
    const { outputs, kernel, inputs } = cookToom(points, taps);
    const random = seededRandom(5);
    const given = inputs.map(() => random() - 0.5);
    const weights = Array.from({ length: taps }, () => random() - 0.5);
    const times = (matrix: number[][], vector: number[]) =>
      matrix.map((row) => row.reduce((sum, factor, i) => sum + factor * vector[i]!, 0));
    const [left, right] = [times(kernel, weights), times(inputs, given)];
    const found = times(
      outputs,
      left.map((value, i) => value * right[i]!),
    );
    expect(found).toHaveLength(given.length - taps + 1);
    for (const [at, value] of found.entries()) {
      const should = weights.reduce((sum, weight, i) => sum + weight * given[at + i]!, 0);
      expect(value).toBeCloseTo(should, 10);
    }
  });
});

type Graph = ReturnType<typeof graph>;
type Given = Parameters<Graph["op"]>[2];
type Draw = (...dims: number[]) => string;
const BORDER = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };

/** `body` gets `[1, channels, rows, frames]` made from frames `[1, frames, 80]`, and says what the trunk gives. */
function trunkOf(channels: number, body: (g: Graph, image: string, draw: Draw) => string, rows = 20): Uint8Array {
  const g = graph([valueInfo("frames", [1, "frames", 80])], TRUNK_OUTPUT);
  const random = seededRandom(9);
  let count = 0;
  const draw: Draw = (...dims) => {
    const scale = 1 / Math.sqrt(dims.slice(1).reduce((a, b) => a * b, 1));
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => 2 * (random() - 0.5) * scale);
    return g.constant(`weights ${count++}`, values, dims);
  };
  const one = g.constant("one", BigInt64Array.of(1n), [1]);
  const image = g.op("Unsqueeze", [g.op("Transpose", ["frames"], { perm: [0, 2, 1] }), one]);
  const step = rows > 20 ? 2 : 4;
  const kernel = [80 - step * (rows - 1), 3];
  const first = g.op("Conv", [image, draw(channels, 1, ...kernel)], {
    kernel_shape: kernel,
    strides: [step, 2],
    pads: [0, 1, 1, 1],
  });
  g.op("Identity", [body(g, g.op("Relu", [first]), draw)], {}, TRUNK_OUTPUT);
  return g.encode();
}

/** A block as ResNets have it: two convolutions beside what passes by, which is convolved where it becomes smaller. */
function block(g: Graph, draw: Draw, image: string, from: number, to: number, step: number): string {
  const strides = { strides: [step, step] };
  const inner = g.op("Relu", [g.op("Conv", [image, draw(to, from, 3, 3), draw(to)], { ...BORDER, ...strides })]);
  const along = step === 1 ? image : g.op("Conv", [image, draw(to, from, 1, 1)], { kernel_shape: [1, 1], ...strides });
  return g.op("Relu", [g.op("Add", [g.op("Conv", [inner, draw(to, to, 3, 3), draw(to)], BORDER), along])]);
}

/** What the trunk gives of noise, opened as it is and by `openTrunk`. */
async function bothWays(trunk: Uint8Array, frames: number): Promise<[Float32Array, Float32Array]> {
  const random = seededRandom(3);
  const noise = Float32Array.from({ length: frames * 80 }, () => random() - 0.5);
  const sessions = [await InferenceSession.create(trunk, OPTIONS), await openTrunk(trunk, 80, OPTIONS)];
  const said: Float32Array[] = [];
  for (const session of sessions) {
    const results = await session.run({ frames: new Tensor("float32", noise, [1, frames, 80]) });
    said.push(results[TRUNK_OUTPUT]!.data as Float32Array);
    await session.release();
  }
  return said as [Float32Array, Float32Array];
}

describe("a trunk of many channels and few rows", () => {
  const deep = (g: Graph, image: string, draw: Draw) =>
    block(
      g,
      draw,
      block(g, draw, block(g, draw, block(g, draw, image, 128, 128, 1), 128, 128, 1), 128, 160, 2),
      160,
      160,
      1,
    );
  const alone = (g: Graph, image: string, draw: Draw) =>
    g.op("Relu", [g.op("Conv", [image, draw(128, 128, 3, 3)], BORDER)]);

  test.each([
    ["blocks that become smaller", trunkOf(128, deep), 131],
    ["one convolution without a bias", trunkOf(128, alone), 80],
    ["rows that are no multiple of a tile's", trunkOf(128, alone, 13), 55],
  ])("says the same by fewer products: %s", async (_, trunk, frames) => {
    const [should, is] = await bothWays(trunk, frames);
    expect(is).toHaveLength(should.length);
    const largest = should.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    let farthest = 0;
    for (const [i, value] of is.entries()) farthest = Math.max(farthest, Math.abs(value - should[i]!));
    expect(farthest / largest).toBeLessThan(1e-5);
    // To the last bit it would be the same computation.
    expect(farthest).toBeGreaterThan(0);
  });

  const conv = (options: Given, weights: number[], channels = 128, rows?: number) =>
    trunkOf(channels, (g, image, draw) => g.op("Relu", [g.op("Conv", [image, draw(...weights)], options)]), rows);
  test.each([
    ["few channels", conv(BORDER, [64, 64, 3, 3], 64)],
    ["many rows", conv(BORDER, [128, 128, 3, 3], 128, 30)],
    ["steps", conv({ ...BORDER, strides: [1, 2] }, [128, 128, 3, 3])],
    ["wider kernels", conv({ ...BORDER, dilations: [2, 2], pads: [2, 2, 2, 2] }, [128, 128, 3, 3])],
    ["no border", conv({ kernel_shape: [3, 3] }, [128, 128, 3, 3])],
    ["groups", conv({ ...BORDER, group: 2 }, [256, 128, 3, 3], 256)],
    ["longer kernels", conv({ kernel_shape: [5, 3], pads: [2, 1, 2, 1] }, [128, 128, 5, 3])],
    [
      "something else behind",
      trunkOf(128, (g, image, draw) => g.op("Tanh", [g.op("Conv", [image, draw(128, 128, 3, 3)], BORDER)])),
    ],
    [
      "frames as rows",
      trunkOf(128, (g, image, draw) => {
        // Sixteen of the first frames that it is tried on, and more of the others.
        const fewer = g.op("MaxPool", [image], { kernel_shape: [1, 2], strides: [1, 2] });
        const turned = g.op("Transpose", [fewer], { perm: [0, 1, 3, 2] });
        return g.op("Relu", [g.op("Conv", [turned, draw(128, 128, 3, 3)], BORDER)]);
      }),
    ],
  ])("is run as it is where it has %s", async (_, trunk) => {
    const [should, is] = await bothWays(trunk, 40);
    expect(Buffer.from(is.buffer).equals(Buffer.from(should.buffer))).toBe(true);
  });

  test("that cannot be run tells so when it is opened or run, as one that is not rewritten", async () => {
    const broken = trunkOf(128, (g, image, draw) =>
      g.op("Relu", [g.op("Conv", [image, draw(128, 130, 3, 3)], BORDER)]),
    );
    await expect(bothWays(broken, 40)).rejects.toThrow();
    await expect(openTrunk(broken.subarray(0, 1000), 80, OPTIONS)).rejects.toThrow();
  });
});
