import proto from "onnx-proto";
import type { WeightFile } from "./weight-file.ts";

const { onnx } = proto;

/** Types of tensors, by onnx' numbers. */
export const TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type ElementType = keyof typeof TYPES;

/** A dimension: a number, or a name for one that is known only when the graph runs. */
export type Dimension = number | string;

type Attribute = number | string | readonly number[] | { int: number } | GraphBuilder | InlineTensor;
type InlineTensor = { tensor: Uint8Array; type: ElementType; dims: readonly number[] };
type OpOptions = { domain?: string; attributes?: Record<string, Attribute>; outputs?: readonly string[] };

/** onnxruntime's own operators. */
export const MICROSOFT = "com.microsoft";
const NEWEST_OPSET = 21;
/** The version of the file format that knows that set of operators. */
const IR_VERSION = 10;

/**
 * Builds one ONNX graph node by node; every method that adds a node returns the name of its output. A graph inside
 * another (`subgraph`) sees the outer one's names and shares its constants. Large constants go to `weights`.
 */
export class GraphBuilder {
  readonly #weights: WeightFile | undefined;
  readonly #nodes: proto.onnx.INodeProto[] = [];
  readonly #initializers: Map<string, proto.onnx.ITensorProto>;
  readonly #inputs: proto.onnx.IValueInfoProto[] = [];
  readonly #outputs: proto.onnx.IValueInfoProto[] = [];
  readonly #prefix: string;
  readonly #opset: number;
  readonly #named = new Map<string, number>();
  #count = 0;

  /**
   * Without a file of weights, a graph has small constants only. `opset` is the version of onnx' operators: a provider
   * may have a kernel of one version and none of the next.
   */
  constructor(weights?: WeightFile, parent?: GraphBuilder, prefix = "", opset = NEWEST_OPSET) {
    this.#weights = weights;
    this.#prefix = prefix;
    this.#opset = opset;
    this.#initializers = parent ? parent.#initializers : new Map();
  }

  /** A graph to be given to a node of this one as an attribute. */
  subgraph(prefix: string): GraphBuilder {
    return new GraphBuilder(this.#weights, this, `${prefix}/`, this.#opset);
  }

  /** A name for an output that no other has, here or in the graph around: with a number behind it from the second time on. */
  unused(name: string): string {
    const times = this.#named.get(name) ?? 0;
    this.#named.set(name, times + 1);
    return `${this.#prefix}${name}${times === 0 ? "" : `#${times}`}`;
  }

  input(name: string, type: ElementType, dims: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  /** Declares `value` an output of the graph under `name`. */
  output(name: string, value: string, type: ElementType, dims: readonly Dimension[]) {
    if (name !== value) this.op("Identity", [value], { outputs: [name] });
    this.#outputs.push(valueInfo(name, type, dims));
  }

  /** Adds a node with one output. An input of "" is one left out. */
  op(type: string, inputs: readonly string[], options: OpOptions = {}): string {
    return this.ops(type, inputs, 1, options)[0];
  }

  /** Adds a node with `count` outputs. */
  ops(type: string, inputs: readonly string[], count: number, options: OpOptions = {}): string[] {
    const name = `${this.#prefix}${type}_${this.#count++}`;
    const output = options.outputs ?? Array.from({ length: count }, (_, i) => (count === 1 ? name : `${name}.${i}`));
    this.#nodes.push({
      opType: type,
      name,
      domain: options.domain ?? "",
      input: [...inputs],
      output: [...output],
      attribute: Object.entries(options.attributes ?? {}).map(([key, value]) => attribute(key, value)),
    });
    return [...output];
  }

  /** A small constant, kept inside the graph's file. */
  constant(type: ElementType, values: readonly number[], dims: readonly number[] = [values.length]): string {
    const name = `${type}[${dims}]:${values.join(",")}`;
    this.#keep(name, () => ({ rawData: bytesOf(type, values), dataType: TYPES[type], dims: [...dims] }));
    return name;
  }

  float(value: number): string {
    return this.constant("float32", [value], []);
  }

  ids(...values: number[]): string {
    return this.constant("int64", values);
  }

  /** A large constant in the file of weights; `make` is called only when the file does not hold `name` yet. */
  weight(name: string, type: ElementType, dims: readonly number[], make: () => Uint8Array): string {
    const file = this.#weights;
    if (!file) throw new Error(`there is no file for the weights ${name}`);
    this.#keep(name, () => {
      const { offset, length } = file.put(name, make);
      return {
        dataType: TYPES[type],
        dims: [...dims],
        dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
        externalData: Object.entries({ location: file.location, offset, length }).map(([key, value]) => ({
          key,
          value: String(value),
        })),
      };
    });
    return name;
  }

  /** The whole model as bytes of a file that lies beside the file of weights. */
  toBytes(): Uint8Array {
    return onnx.ModelProto.encode({
      irVersion: IR_VERSION,
      producerName: "scribe",
      opsetImport: [
        { domain: "", version: this.#opset },
        { domain: MICROSOFT, version: 1 },
      ],
      graph: { ...this.toGraph(), initializer: [...this.#initializers.values()] },
    }).finish();
  }

  toGraph(): proto.onnx.IGraphProto {
    return { name: this.#prefix || "graph", node: this.#nodes, input: this.#inputs, output: this.#outputs };
  }

  #keep(name: string, make: () => proto.onnx.ITensorProto) {
    if (!this.#initializers.has(name)) this.#initializers.set(name, { name, ...make() });
  }
}

function attribute(name: string, value: Attribute): proto.onnx.IAttributeProto {
  const { AttributeType } = onnx.AttributeProto;
  if (typeof value === "number") return { name, type: AttributeType.FLOAT, f: value };
  if (typeof value === "string") return { name, type: AttributeType.STRING, s: Buffer.from(value) };
  if (value instanceof GraphBuilder) return { name, type: AttributeType.GRAPH, g: value.toGraph() };
  if ("int" in value) return { name, type: AttributeType.INT, i: value.int };
  if ("tensor" in value) {
    const t = { rawData: value.tensor, dataType: TYPES[value.type], dims: [...value.dims] };
    return { name, type: AttributeType.TENSOR, t };
  }
  return { name, type: AttributeType.INTS, ints: [...value] };
}

function valueInfo(name: string, type: ElementType, dims: readonly Dimension[]): proto.onnx.IValueInfoProto {
  const dim = dims.map((d) => (typeof d === "number" ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType: TYPES[type], shape: { dim } } } };
}

/** Values as the little-endian bytes that onnx keeps. */
function bytesOf(type: ElementType, values: readonly number[]): Uint8Array {
  const view = {
    float32: () => Float32Array.from(values),
    uint8: () => Uint8Array.from(values),
    int8: () => Int8Array.from(values),
    int32: () => Int32Array.from(values),
    int64: () => BigInt64Array.from(values, BigInt),
    bool: () => Uint8Array.from(values),
    float16: () => new Uint16Array(new Float16Array(values).buffer),
  }[type]();
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
