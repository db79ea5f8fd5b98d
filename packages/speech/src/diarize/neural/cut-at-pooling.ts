import proto from "onnx-proto";
import { SpeechError } from "../../speech-error.ts";

const { onnx } = proto;
type Node = proto.onnx.INodeProto;

/** An embedding network in two: frames → trunk over time, and pooled statistics → embedding. */
export type CutModel = { trunk: Uint8Array; head: Uint8Array };

/** What the two halves call what they exchange. */
export const TRUNK_OUTPUT = "trunk";
export const STATISTICS_INPUT = "statistics";

/**
 * Cuts an exported speaker embedding network (WeSpeaker's ResNets and their like) at its statistics pooling, which takes
 * no mask: `trunk` ends where the mean over time is taken, `head` begins with the layer that meets mean and deviation
 * together. Found by form, not by name: the last layer that a Concat of statistics reaches, and the first ReduceMean
 * behind it. Throws `invalid_model` where the graph has no such place.
 */
export function cutAtPooling(bytes: Uint8Array): CutModel {
  const model = onnx.ModelProto.decode(bytes);
  const graph = model.graph!;
  const nodes = graph.node ?? [];
  const maker = new Map<string, number>(
    nodes.flatMap((node, i) => (node.output ?? []).map((name) => [name, i] as const)),
  );
  const output = graph.output?.[0]?.name ?? "";
  const concat = lastConcat(nodes, maker, output);
  const behind = ancestors(nodes, maker, nodes[concat].output![0]);
  const means = [...behind].filter((i) => nodes[i].opType === "ReduceMean").sort((a, b) => a - b);
  // The mean over time is taken of the trunk itself; the deviation's are of what follows from that.
  const first = means.find((i) => !means.some((other) => ancestors(nodes, maker, nodes[i].input![0]).has(other)));
  if (first === undefined) throw noPooling();
  const trunkName = nodes[first].input![0];

  const trunkNodes = ancestors(nodes, maker, trunkName);
  const headStart = flattenedOutput(nodes, concat);
  const headNodes = new Set([...ancestors(nodes, maker, output)].filter((i) => !behind.has(i)));
  headNodes.delete(concat);
  for (const i of [...headNodes])
    if (nodes[i].output?.includes(headStart) && headStart !== nodes[concat].output![0]) headNodes.delete(i);

  return {
    trunk: part(model, [...trunkNodes], graph.input ?? [], [{ from: trunkName, to: TRUNK_OUTPUT }], []),
    head: part(
      model,
      [...headNodes],
      [valueInfo(STATISTICS_INPUT)],
      [],
      [{ from: headStart, to: STATISTICS_INPUT }],
      graph.output ?? [],
    ),
  };
}

const noPooling = () => new SpeechError("invalid_model", "the embedding model has no statistics pooling that is known");

/** The Concat nearest to the output: where means and deviations come together. */
function lastConcat(nodes: readonly Node[], maker: ReadonlyMap<string, number>, output: string): number {
  const concats = [...ancestors(nodes, maker, output)]
    .filter((i) => nodes[i].opType === "Concat" && nodes[i].input!.length === 2)
    .filter((i) => [...ancestors(nodes, maker, nodes[i].output![0])].some((j) => nodes[j].opType === "ReduceMean"));
  const last = Math.max(...concats);
  if (!Number.isFinite(last)) throw noPooling();
  return last;
}

/** Statistics may be flattened once more behind the Concat; the head takes what comes out of that. */
function flattenedOutput(nodes: readonly Node[], concat: number): string {
  const name = nodes[concat].output![0];
  const next = nodes.find((node) => node.opType === "Flatten" && node.input?.[0] === name);
  return next ? next.output![0] : name;
}

/** Nodes that a value comes from. */
function ancestors(nodes: readonly Node[], maker: ReadonlyMap<string, number>, value: string): Set<number> {
  const found = new Set<number>();
  const open = [value];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const i = maker.get(name);
    if (i === undefined || found.has(i)) continue;
    found.add(i);
    open.push(...(nodes[i].input ?? []));
  }
  return found;
}

type Rename = { from: string; to: string };

function part(
  model: proto.onnx.ModelProto,
  chosen: readonly number[],
  inputs: proto.onnx.IValueInfoProto[],
  outputs: readonly Rename[],
  renamedInputs: readonly Rename[],
  keptOutputs: proto.onnx.IValueInfoProto[] = [],
): Uint8Array {
  const graph = model.graph!;
  const named = new Map(renamedInputs.map(({ from, to }) => [from, to]));
  const node = [...chosen]
    .sort((a, b) => a - b)
    .map((i) => ({ ...graph.node![i], input: graph.node![i].input!.map((name) => named.get(name) ?? name) }));
  for (const { from, to } of outputs)
    node.push({ opType: "Identity", name: `give_${to}`, input: [from], output: [to] });
  const used = new Set(node.flatMap(({ input }) => input ?? []));
  return onnx.ModelProto.encode({
    irVersion: model.irVersion,
    opsetImport: model.opsetImport,
    graph: {
      name: graph.name ?? "part",
      node,
      initializer: (graph.initializer ?? []).filter(({ name }) => used.has(name!)),
      input: inputs,
      output: [...outputs.map(({ to }) => valueInfo(to)), ...keptOutputs],
    },
  }).finish();
}

/** A tensor of floats of unknown shape. */
export const valueInfo = (name: string): proto.onnx.IValueInfoProto => ({
  name,
  type: { tensorType: { elemType: 1 } },
});
