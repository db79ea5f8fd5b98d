import { Tensor } from "onnxruntime-node";
import { SpeechError } from "../speech-error.ts";

/** Float values as a tensor of the type that a session asks for. */
export function floatTensor(type: string, values: Float32Array, dims: readonly number[]): Tensor {
  if (type === "float32") return new Tensor("float32", values, dims);
  if (type === "float16") {
    const halves = new Float16Array(values);
    return new Tensor("float16", new Uint16Array(halves.buffer), dims);
  }
  throw new SpeechError("invalid_model", `a graph asks for ${type} where numbers are expected`);
}

/** Token ids as a tensor of the type that a session asks for. */
export function idTensor(type: string, ids: readonly number[], dims: readonly number[]): Tensor {
  if (type === "int64") return new Tensor("int64", BigInt64Array.from(ids, BigInt), dims);
  if (type === "int32") return new Tensor("int32", Int32Array.from(ids), dims);
  throw new SpeechError("invalid_model", `a graph asks for ${type} where token ids are expected`);
}

/** A tensor's values as fp32; shares its memory where it is fp32 already. */
export function floatValues(tensor: Tensor): Float32Array {
  const { data } = tensor;
  if (data instanceof Float32Array) return data;
  if (tensor.type === "float16" && ArrayBuffer.isView(data)) {
    return new Float32Array(new Float16Array(data.buffer, data.byteOffset, data.byteLength / 2));
  }
  throw new SpeechError("invalid_model", `a graph answers with ${tensor.type} where numbers are expected`);
}
