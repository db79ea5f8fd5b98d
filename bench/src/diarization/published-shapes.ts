import { graph, valueInfo } from "../../../packages/speech/test/diarize/generated-networks.ts";

// Networks with the published ones' layers, inputs and outputs, and random weights: they say nothing, at the same cost.

type Graph = ReturnType<typeof graph>;

/** Weights that keep the size of what flows through: numbers that vanish would be slow, and cheap to skip. */
function drawer(g: Graph, random: () => number) {
  let count = 0;
  return (dims: number[], inputs: number) => {
    const scale = Math.sqrt(6 / inputs);
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => (2 * random() - 1) * scale);
    return g.constant(`weights_${count++}`, values, dims);
  };
}

/**
 * Of pyannote/segmentation-3.0: SincNet, four bidirectional LSTMs of 128, two layers of 128, seven classes;
 * `[B, 1, 160000]` → `[B, 589, 7]`.
 */
export function segmentationOfPublishedShape(random: () => number): Uint8Array {
  const g = graph([valueInfo("input_values", ["batch", 1, "samples"])], "logits");
  const draw = drawer(g, random);
  const ones = (name: string, n: number, value: number) => g.constant(name, new Float32Array(n).fill(value), [n]);
  const normalise = (x: string, n: number) =>
    g.op("InstanceNormalization", [x, ones(`${x}_scale`, n, 1), ones(`${x}_shift`, n, 0)]);
  const pool = (x: string) => g.op("MaxPool", [x], { kernel_shape: [3], strides: [3] });
  const rectify = (x: string) => g.op("LeakyRelu", [x]);
  let x = normalise("input_values", 1);
  x = g.op("Abs", [g.op("Conv", [x, draw([80, 1, 251], 251)], { strides: [10], kernel_shape: [251] })]);
  x = rectify(normalise(pool(x), 80));
  x = rectify(normalise(pool(g.op("Conv", [x, draw([60, 80, 5], 400)], { kernel_shape: [5] })), 60));
  x = rectify(normalise(pool(g.op("Conv", [x, draw([60, 60, 5], 300)], { kernel_shape: [5] })), 60));
  // [B, 60, 589] → [589, B, 60], as LSTM takes it
  x = g.op("Transpose", [x], { perm: [2, 0, 1] });
  const flat = g.constant("both_directions", BigInt64Array.of(0n, 0n, -1n), [3]);
  for (const inputs of [60, 256, 256, 256]) {
    const weights = [draw([2, 512, inputs], 6 * inputs), draw([2, 512, 128], 6 * 128)];
    const heard = g.op("LSTM", [x, ...weights], { hidden_size: 128, direction: "bidirectional" });
    // [589, 2, B, 128] → [589, B, 256]
    x = g.op("Reshape", [g.op("Transpose", [heard], { perm: [0, 2, 1, 3] }), flat]);
  }
  x = g.op("Transpose", [x], { perm: [1, 0, 2] });
  for (const inputs of [256, 128]) x = rectify(g.op("MatMul", [x, draw([inputs, 128], inputs)]));
  // Two at once, the fifth class, always: as many embeddings as a lively talk needs, and more.
  const lively = g.constant("lively", Float32Array.of(0, 0, 0, 0, 100, 0, 0), [7]);
  g.op("LogSoftmax", [g.op("Add", [g.op("MatMul", [x, draw([128, 7], 128)]), lively])], { axis: -1 }, "logits");
  return g.encode();
}

/**
 * Of wespeaker-voxceleb-resnet34-LM: 3, 4, 6 and 3 blocks of 32, 64, 128 and 256 channels, mean and deviation over time,
 * one layer; `[B, T, 80]` → `[B, 256]`. Normalisation is folded into the convolutions, as exports have it.
 */
export function embeddingOfPublishedShape(random: () => number): Uint8Array {
  const g = graph([valueInfo("input_features", ["batch", "frames", 80])], "last_hidden_state");
  const draw = drawer(g, random);
  const convolve = (x: string, from: number, to: number, kernel: number, stride: number, gain = 1) => {
    const weights = [draw([to, from, kernel, kernel], (from * kernel * kernel) / gain), draw([to], 1e4)];
    const pad = (kernel - 1) / 2;
    const shape = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] };
    return g.op("Conv", [x, ...weights], shape);
  };
  const one = g.constant("one", BigInt64Array.of(1n), [1]);
  let x = g.op("Unsqueeze", [g.op("Transpose", ["input_features"], { perm: [0, 2, 1] }), one]);
  x = g.op("Relu", [convolve(x, 1, 32, 3, 1)]);
  let from = 32;
  [3, 4, 6, 3].forEach((blocks, stage) => {
    const to = 32 << stage;
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const inner = g.op("Relu", [convolve(x, from, to, 3, stride)]);
      const along = stride > 1 ? convolve(x, from, to, 1, stride, 0.5) : x;
      x = g.op("Relu", [g.op("Add", [convolve(inner, to, to, 3, 1, 0.1), along])]);
      from = to;
    }
  });
  const flatten = (value: string) => g.op("Flatten", [value], { axis: 1 });
  const mean = g.op("ReduceMean", [x], { axes: [-1], keepdims: 0 });
  const apart = g.op("Sub", [x, g.op("ReduceMean", [x], { axes: [-1], keepdims: 1 })]);
  const variance = g.op("ReduceMean", [g.op("Mul", [apart, apart])], { axes: [-1], keepdims: 0 });
  const least = g.constant("least", Float32Array.of(1e-7), [1]);
  const deviation = g.op("Sqrt", [g.op("Add", [variance, least])]);
  const statistics = g.op("Concat", [flatten(mean), flatten(deviation)], { axis: 1 });
  g.op("Gemm", [statistics, draw([5120, 256], 5120), draw([256], 1e4)], {}, "last_hidden_state");
  return g.encode();
}
