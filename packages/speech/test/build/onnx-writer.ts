import proto from "onnx-proto";

const { onnx } = proto;
const TYPES = { float: 1, int64: 7, bool: 9 } as const;
type Type = keyof typeof TYPES;
type Attribute = number | number[] | OnnxWriter;

/** Writes small ONNX graphs node by node; each method answers the name of what it made. */
export class OnnxWriter {
  readonly #nodes: proto.onnx.INodeProto[] = [];
  readonly #inputs: proto.onnx.IValueInfoProto[] = [];
  readonly #outputs: proto.onnx.IValueInfoProto[] = [];
  readonly #initializers: proto.onnx.ITensorProto[] = [];
  readonly #prefix: string;
  #count = 0;

  constructor(prefix = "") {
    this.#prefix = prefix;
  }

  input(name: string, type: Type, dims: (number | string)[]): string {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  output(name: string, value: string, type: Type, dims: (number | string)[]) {
    this.#nodes.push({ opType: "Identity", input: [value], output: [name] });
    this.#outputs.push(valueInfo(name, type, dims));
  }

  floats(values: Float32Array | number[], dims: number[]): string {
    return this.#constant({ dataType: TYPES.float, dims, rawData: bytesOf(Float32Array.from(values)) });
  }

  ints(values: number[], dims: number[] = [values.length]): string {
    return this.#constant({ dataType: TYPES.int64, dims, rawData: bytesOf(BigInt64Array.from(values, BigInt)) });
  }

  op(opType: string, input: string[], attributes: Record<string, Attribute> = {}, outputs = 1): string {
    return this.ops(opType, input, attributes, outputs)[0];
  }

  ops(opType: string, input: string[], attributes: Record<string, Attribute>, outputs: number): string[] {
    const output = Array.from({ length: outputs }, () => this.#name(opType));
    this.#nodes.push({
      opType,
      input,
      output,
      attribute: Object.entries(attributes).map(([name, value]) => attributeOf(name, value)),
    });
    return output;
  }

  graph(): proto.onnx.IGraphProto {
    return {
      name: this.#prefix || "main",
      node: this.#nodes,
      input: this.#inputs,
      output: this.#outputs,
      initializer: this.#initializers,
    };
  }

  encode(): Uint8Array {
    const model = { irVersion: 8, opsetImport: [{ domain: "", version: 17 }], graph: this.graph() };
    return onnx.ModelProto.encode(onnx.ModelProto.create(model)).finish();
  }

  #constant(tensor: proto.onnx.ITensorProto): string {
    const name = this.#name("constant");
    this.#initializers.push({ ...tensor, name });
    return name;
  }

  #name(kind: string): string {
    return `${this.#prefix}${kind}_${this.#count++}`;
  }
}

function valueInfo(name: string, type: Type, dims: (number | string)[]): proto.onnx.IValueInfoProto {
  const dim = dims.map((size) => (typeof size === "string" ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: TYPES[type], shape: { dim } } } };
}

function attributeOf(name: string, value: Attribute): proto.onnx.IAttributeProto {
  const { AttributeType } = onnx.AttributeProto;
  if (value instanceof OnnxWriter) return { name, type: AttributeType.GRAPH, g: value.graph() };
  if (Array.isArray(value)) return { name, type: AttributeType.INTS, ints: value };
  if (Number.isInteger(value)) return { name, type: AttributeType.INT, i: value };
  return { name, type: AttributeType.FLOAT, f: value };
}

const bytesOf = (values: Float32Array | BigInt64Array) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
