import { readFileSync, writeFileSync } from "node:fs";
import proto from "onnx-proto";
import { GraphBuilder } from "../../src/compile/graph-builder.ts";

/**
 * Has a compiled graph run nodes of the test's too, which may fail: `add` builds them from the graph's inputs, and names a
 * small int64 that is to come out. Where `before` names an fp32 input, whatever reads that waits for them.
 */
export function breakGraph(path: string, add: (g: GraphBuilder) => string, before?: string) {
  const broken = new GraphBuilder();
  const guard = add(broken);
  broken.output("guard", guard, "int64", []);
  if (before) {
    const nothing = broken.op("Mul", [broken.op("Cast", [guard], { attributes: { to: { int: 1 } } }), broken.float(0)]);
    broken.op("Add", [before, nothing], { outputs: ["guarded"] });
  }
  const extra = proto.onnx.ModelProto.decode(broken.toBytes()).graph;
  const model = proto.onnx.ModelProto.decode(readFileSync(path));
  const { graph } = model;
  if (!graph || !extra) throw new Error(`${path} holds no graph`);
  for (const node of extra.node ?? []) node.name = `guard/${node.name}`;
  for (const node of graph.node ?? []) {
    node.input = node.input?.map((name) => (name === before ? "guard/guarded" : name)) ?? [];
  }
  graph.node?.push(...rename(extra));
  graph.initializer?.push(
    ...(extra.initializer ?? []).filter((one) => !graph.initializer?.some(({ name }) => name === one.name)),
  );
  graph.output?.push(...(extra.output ?? []));
  writeFileSync(path, proto.onnx.ModelProto.encode(model).finish());
}

/** Names that the graph has not: those of its inputs stay. */
function rename(graph: proto.onnx.IGraphProto): proto.onnx.INodeProto[] {
  const made = new Set((graph.node ?? []).flatMap(({ output }) => output ?? []));
  const other = (name: string) => (made.has(name) && name !== "guard" ? `guard/${name}` : name);
  return (graph.node ?? []).map((node) => ({
    ...node,
    input: node.input?.map(other) ?? [],
    output: node.output?.map(other) ?? [],
  }));
}

const int64 = { attributes: { to: { int: 7 } } };
const scalar = { attributes: { keepdims: { int: 0 } } };

/** Fails like a graph that meets an index which it has not, where `condition` (bool) holds. */
export function failWhere(g: GraphBuilder, condition: string): string {
  const places = g.constant("int64", [0, 0]);
  const beyond = g.op("Where", [condition, g.constant("int64", [7], []), g.constant("int64", [0], [])]);
  return g.op("Gather", [places, beyond]);
}

/** Asks for more memory than any machine has, where `condition` (bool) holds. */
export function exhaustWhere(g: GraphBuilder, condition: string): string {
  const size = g.op("Where", [condition, g.ids(2 ** 45), g.ids(1)]);
  const zeros = { tensor: new Uint8Array(8), type: "int64", dims: [1] } as const;
  const many = g.op("ConstantOfShape", [size], { attributes: { value: zeros } });
  return g.op("ReduceSum", [many, g.ids(0)], scalar);
}

/** Whether a batch has more rows than `most`, by an input `[rows, …]`. */
export function rowsAbove(g: GraphBuilder, input: string, most: number): string {
  const rows = g.op("Squeeze", [g.op("Shape", [input], { attributes: { start: { int: 0 }, end: { int: 1 } } })]);
  return g.op("Greater", [rows, g.constant("int64", [most], [])]);
}

/** Whether any number of an int32 input `[rows]` is larger than `most`. */
export function anyAbove(g: GraphBuilder, input: string, most: number): string {
  const largest = g.op("ReduceMax", [g.op("Cast", [input], int64), g.ids(0)], scalar);
  return g.op("Greater", [largest, g.constant("int64", [most], [])]);
}
