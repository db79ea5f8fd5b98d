import { InferenceSession, Tensor } from "onnxruntime-node";
import { GraphBuilder } from "../compile/graph-builder.ts";

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

/** Has a provider compute a small product: that a library knows its name says nothing about drivers. Throws why not. */
export async function needProvider(provider: string): Promise<void> {
  const session = await InferenceSession.create(product(), { executionProviders: [provider], logSeverityLevel: 3 });
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

function product(): Uint8Array {
  const g = new GraphBuilder();
  g.input("x", "float32", [2, 2]);
  g.output("y", g.op("MatMul", ["x", "x"]), "float32", [2, 2]);
  return g.toBytes();
}
