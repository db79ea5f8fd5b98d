import proto from "onnx-proto";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { freeMemory } from "../../../sessions/free-memory.ts";
import { TRUNK_OUTPUT, valueInfo } from "../cut-at-pooling.ts";
import { type Convolution, rewriteInRows, TAPS } from "./rewrite-in-rows.ts";

const { onnx } = proto;
const { FLOAT } = onnx.TensorProto.DataType;
type Node = proto.onnx.INodeProto;

/** With fewer channels, or more rows, what is won is lost on the way there and back (measured: 64 and 40). */
const LEAST_CHANNELS = 128;
const MOST_ROWS = 24;
/** Of the largest value: how far the rewritten trunk may be from the given one. */
const TOLERANCE = 1e-4;
const PROBE_FRAMES = { shape: 64, check: 104 };

/**
 * Opens a trunk of convolutions over `[1, channels, rows, frames]` with the 3 × 3 ones of many channels and few rows done
 * by Winograd's way along the rows: a matrix product there, a convolution along the frames for each of seven points, and
 * a matrix product back, which adds what passes by. In between, values lie as `[rows, channels · frames]`. The trunk as it
 * is where there are none, where it is of another kind, or where both do not say the same of noise.
 */
export async function openTrunk(
  trunk: Uint8Array,
  bins: number,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  const rewritten = await rewriteTrunk(trunk, bins, options);
  if (!rewritten) return await InferenceSession.create(trunk, options);
  try {
    const session = await InferenceSession.create(rewritten.bytes, options);
    freeMemory(rewritten.bytes);
    const said = await runOnNoise(session, PROBE_FRAMES.check, bins);
    if (isNear(said[TRUNK_OUTPUT].data as Float32Array, rewritten.shouldSay)) return session;
    await session.release();
  } catch {
    // What cannot be run in this form is run as it is.
  }
  return await InferenceSession.create(trunk, options);
}

/** The rewritten trunk, and what it should say of noise; undefined where there is nothing to rewrite. */
async function rewriteTrunk(trunk: Uint8Array, bins: number, options: InferenceSession.SessionOptions) {
  const model = onnx.ModelProto.decode(trunk);
  const candidates = findCandidates(model);
  if (candidates.size === 0) return undefined;
  const names = [...new Set([...candidates.values()].map(({ input }) => input))];
  const output = [TRUNK_OUTPUT, ...names].map(valueInfo);
  const shown = onnx.ModelProto.encode({ ...model, graph: { ...model.graph, output } }).finish();
  const given = await InferenceSession.create(shown, options);
  freeMemory(shown);
  try {
    const values = await runOnNoise(given, PROBE_FRAMES.shape, bins);
    const rows = new Map(names.map((name) => [name, values[name].dims[2]]));
    const chosen = new Map([...candidates].filter(([, { input }]) => rows.get(input)! <= MOST_ROWS));
    if (chosen.size === 0) return undefined;
    // Of another length, for rows that change with the frames are none.
    const { [TRUNK_OUTPUT]: said } = await runOnNoise(given, PROBE_FRAMES.check, bins);
    return { bytes: rewriteInRows(model, chosen, rows), shouldSay: said.data as Float32Array };
  } catch {
    // A graph that cannot be run tells so as it is.
    return undefined;
  } finally {
    await given.release();
  }
}

/** By their nodes. Behind them may be what is done number by number, as it lies. */
function findCandidates({ graph }: proto.onnx.IModelProto): Map<Node, Convolution> {
  const constants = new Map((graph!.initializer ?? []).map((tensor) => [tensor.name!, tensor]));
  const readers = new Map<string, Node[]>();
  for (const node of graph!.node ?? []) {
    for (const name of node.input ?? []) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const found = new Map<Node, Convolution>();
  for (const node of graph!.node ?? []) {
    const [input, weightsName, biasName] = node.input ?? [];
    const [output] = node.output ?? [];
    if (node.opType !== "Conv" || !isPlain(node)) continue;
    if (!(readers.get(output) ?? []).every(({ opType }) => opType === "Relu" || opType === "Add")) continue;
    const weights = floatsOf(constants.get(weightsName));
    const dims = constants.get(weightsName)?.dims?.map(Number) ?? [];
    if (!weights || dims.join() !== [dims[0], dims[1], TAPS, TAPS].join() || dims[1] < LEAST_CHANNELS) continue;
    const bias = biasName ? floatsOf(constants.get(biasName)) : new Float32Array(dims[0]);
    if (bias) found.set(node, { input, output, weights, bias, channels: { from: dims[1], to: dims[0] } });
  }
  return found;
}

/** One step at a time, as wide as it is long, with a border of zeros. */
function isPlain({ attribute }: Node): boolean {
  const given = new Map(
    (attribute ?? []).map((a) => [a.name!, a.ints?.length ? a.ints.map(Number) : Number(a.i ?? 0)]),
  );
  const all = (name: string, value: number, usual: number) =>
    [given.get(name) ?? usual].flat().every((number) => number === value);
  return (
    all("pads", 1, 0) && all("strides", 1, 1) && all("dilations", 1, 1) && all("group", 1, 1) && !given.has("auto_pad")
  );
}

function floatsOf(tensor: proto.onnx.ITensorProto | undefined): Float32Array | undefined {
  if (tensor?.dataType !== FLOAT) return undefined;
  if (tensor.floatData?.length) return Float32Array.from(tensor.floatData);
  const bytes = tensor.rawData;
  return bytes?.length ? new Float32Array(Uint8Array.from(bytes).buffer) : undefined;
}

async function runOnNoise(session: InferenceSession, frames: number, bins: number) {
  const noise = Float32Array.from({ length: frames * bins }, (_, i) => 4 * Math.sin(i * i));
  return await session.run({ [session.inputNames[0]]: new Tensor("float32", noise, [1, frames, bins]) });
}

function isNear(is: Float32Array, should: Float32Array): boolean {
  const largest = should.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return is.length === should.length && is.every((value, i) => Math.abs(value - should[i]) <= TOLERANCE * largest);
}
