import proto from "onnx-proto";

const { onnx } = proto;
const FLOAT = 1;
const { INT, INTS, STRING } = onnx.AttributeProto.AttributeType;

type Given = Record<string, number | number[] | string>;

/** A graph of few nodes, written by hand. */
export function graph(inputs: proto.onnx.IValueInfoProto[], outputName: string) {
  const node: proto.onnx.INodeProto[] = [];
  const initializer: proto.onnx.ITensorProto[] = [];
  const attributes = (given: Given) =>
    Object.entries(given).map(([name, value]) => {
      if (typeof value === "string") return { name, s: Buffer.from(value), type: STRING };
      return typeof value === "number" ? { name, i: value, type: INT } : { name, ints: value, type: INTS };
    });
  return {
    constant(name: string, values: Float32Array | BigInt64Array, dims: number[]) {
      const dataType = values instanceof Float32Array ? FLOAT : 7;
      initializer.push({ name, dims, dataType, rawData: new Uint8Array(values.buffer) });
      return name;
    },
    op(opType: string, input: string[], given: Given = {}, output = `${opType}_${node.length}`) {
      node.push({ opType, name: output, input, output: [output], attribute: attributes(given) });
      return output;
    },
    encode: (): Uint8Array =>
      onnx.ModelProto.encode({
        irVersion: 8,
        opsetImport: [{ domain: "", version: 13 }],
        graph: { name: "generated", node, initializer, input: inputs, output: [valueInfo(outputName)] },
      }).finish(),
  };
}

export const valueInfo = (name: string, dims?: (string | number)[]): proto.onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType: FLOAT,
      ...(dims && { shape: { dim: dims.map((d) => (typeof d === "string" ? { dimParam: d } : { dimValue: d })) } }),
    },
  },
});

/**
 * Sample values that stand for the seven classes: 0, 0.1, −0.1, 0.2, −0.2 and so on, so that nothing lies between
 * silence and one speaker.
 */
export const classLevel = (powersetClass: number): number =>
  (powersetClass % 2 === 1 ? 1 : -1) * Math.ceil(powersetClass / 2) * 0.1;

/**
 * A segmentation network with the published one's input, output and receptive field (991 samples, every 270): it reads
 * the class of each frame from the mean of its samples.
 */
export function generateSegmentation(): Uint8Array {
  const g = graph([valueInfo("input_values", ["batch", 1, "samples"])], "logits");
  const kernel = g.constant("kernel", new Float32Array(991).fill(1 / 991), [1, 1, 991]);
  const mean = g.op("Conv", ["input_values", kernel], { strides: [270], kernel_shape: [991] });
  const byFrame = g.op("Transpose", [mean], { perm: [0, 2, 1] });
  // −(v − c)² without v²: a larger number for the nearer level
  const slopes = g.constant(
    "slopes",
    Float32Array.from({ length: 7 }, (_, k) => 2 * classLevel(k)),
    [1, 7],
  );
  const offsets = g.constant(
    "offsets",
    Float32Array.from({ length: 7 }, (_, k) => -(classLevel(k) ** 2)),
    [7],
  );
  g.op("Add", [g.op("MatMul", [byFrame, slopes]), offsets], {}, "logits");
  return g.encode();
}

/**
 * An embedding network of the published one's form: frames `[B, T, 80]` → a trunk at an eighth of the rate → mean and
 * deviation over time → one last layer → `[B, 256]`. Weights are random; the deviation is the unbiased one for
 * `trunkFrames`.
 */
export function generateEmbedding(random: () => number, trunkFrames: number): Uint8Array {
  const channels = 32;
  const weights = (name: string, dims: number[], scale: number) =>
    g.constant(
      name,
      Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => (random() - 0.5) * scale),
      dims,
    );
  const g = graph([valueInfo("input_features", ["batch", "frames", 80])], "last_hidden_state");
  const byBin = g.op("Transpose", ["input_features"], { perm: [0, 2, 1] });
  const mixed = [byBin, weights("mix", [channels, 80, 8], 0.1)];
  const trunk = g.op("Conv", mixed, { strides: [8], kernel_shape: [8] });
  const mean = g.op("ReduceMean", [trunk], { axes: [-1], keepdims: 0 });
  const kept = g.op("ReduceMean", [trunk], { axes: [-1], keepdims: 1 });
  const apart = g.op("Sub", [trunk, kept]);
  const biased = g.op("ReduceMean", [g.op("Mul", [apart, apart])], { axes: [-1], keepdims: 0 });
  const correction = g.constant("correction", Float32Array.of(trunkFrames / (trunkFrames - 1)), [1]);
  const variance = g.op("Mul", [biased, correction]);
  const deviation = g.op("Sqrt", [g.op("Add", [variance, g.constant("least", Float32Array.of(1e-7), [1])])]);
  const statistics = g.op("Concat", [mean, deviation], { axis: 1 });
  // Means change with whoever else is in the window, for the features lose theirs; untrained, only deviations say much.
  const byDeviation = Float32Array.from({ length: 2 * channels * 256 }, (_, at) => {
    return (random() - 0.5) * (at < channels * 256 ? 0.01 : 1);
  });
  const last = [statistics, g.constant("last", byDeviation, [2 * channels, 256]), weights("bias", [256], 0.1)];
  g.op("Gemm", last, {}, "last_hidden_state");
  return g.encode();
}
