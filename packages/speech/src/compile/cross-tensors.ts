import { Tensor } from "onnxruntime-node";
import type { JoiningWindow } from "../sessions/decoder-batch.ts";
import type { SlotValues } from "./slot-buffer.ts";

/** A window's cross-attention keys and values by their names in the graph, `[1, …]` each. */
export type Cross = Readonly<Record<string, Tensor>>;
export type CrossTensors = { cross(row: number): Promise<Cross> };

/** Room for `size` numbers of a tensor of keys and values. */
export function crossValues({ type }: Tensor, size: number): SlotValues {
  return type === "int8" ? new Int8Array(size) : new Float32Array(size);
}

/** A tensor like one of keys and values, `[1, …]`, of several windows. */
export function crossTensor(
  { type, dims }: Pick<Tensor, "type" | "dims">,
  values: SlotValues,
  windows: number,
): Tensor {
  return new Tensor(type as "float32" | "int8", values, [windows, ...dims.slice(1)]);
}

/** Keys and values of the window that joins. */
export function crossOf({ audio, row }: JoiningWindow): Promise<Cross> {
  return (audio as unknown as CrossTensors).cross(row);
}
