import { InferenceSession, Tensor } from "onnxruntime-node";
import { GraphBuilder, TYPES } from "../compile/graph-builder.ts";

/** What `auto` stands for: the fastest first. */
const AUTO = ["cuda", "webgpu", "cpu"];

/** Providers by name, each once. */
export function providersInOrder(names: readonly string[]): string[] {
  return [...new Set(names.flatMap((name) => (name === "auto" ? AUTO : [name])))];
}

/** The providers that come after one. */
export function providersAfter(provider: string, names: readonly string[]): string[] {
  const all = providersInOrder(names);
  return all.slice(all.indexOf(provider) + 1);
}

/**
 * Has a provider compute a small product: that a library knows its name says nothing about drivers. Throws why not; so it
 * does where numbers are to have 16 bit, and the device has none of them.
 */
export async function needProvider(provider: string, inHalves = false): Promise<void> {
  const session = await InferenceSession.create(product(inHalves), {
    executionProviders: [provider],
    logSeverityLevel: 3,
  });
  try {
    const x = new Tensor("float32", Float32Array.of(1, 2, 3, 4), [2, 2]);
    const { y } = await session.run({ x });
    // The square of [[1, 2], [3, 4]].
    const right = [7, 10, 15, 22].every((value, i) => Math.abs((y.data as Float32Array)[i] - value) < 0.1);
    if (!right) throw new Error(`${provider} computes a product wrongly`);
  } finally {
    await session.release();
  }
}

/** A device that needs so many times the processor's time is none: a driver that computes on the processor, say. */
const SLOWEST = 4;
/** What it takes to reach a device at all. */
const WAY_MS = 20;
const SIDE = 384;

/** Throws where a provider multiplies large matrices much slower than the processor does. */
export async function needFastProvider(provider: string): Promise<void> {
  const [own, processor] = [await timeOf(provider), await timeOf("cpu")];
  if (own <= SLOWEST * processor + WAY_MS) return;
  const times = (own / processor).toFixed(0);
  throw new Error(`${provider} takes ${times} times as long as the processor: no device is behind it`);
}

async function timeOf(provider: string): Promise<number> {
  const session = await InferenceSession.create(product(false, SIDE), {
    executionProviders: [provider],
    logSeverityLevel: 3,
  });
  try {
    const x = new Tensor("float32", new Float32Array(SIDE * SIDE).fill(0.01), [SIDE, SIDE]);
    // The first run prepares what later ones use.
    await session.run({ x });
    const begun = performance.now();
    await session.run({ x });
    return performance.now() - begun;
  } finally {
    await session.release();
  }
}

function product(inHalves: boolean, side = 2): Uint8Array {
  const g = new GraphBuilder();
  const cast = (x: string, type: "float16" | "float32") =>
    inHalves ? g.op("Cast", [x], { attributes: { to: { int: TYPES[type] } } }) : x;
  const x = cast(g.input("x", "float32", [side, side]), "float16");
  g.output("y", cast(g.op("MatMul", [x, x]), "float32"), "float32", [side, side]);
  return g.toBytes();
}
