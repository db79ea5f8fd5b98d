import { closeSync, openSync, writeSync } from "node:fs";
import { basename } from "node:path";

/** Where onnxruntime may map a tensor from: a page's start, as the largest common pages begin. */
const ALIGNMENT = 4096;

/**
 * The file of constants that several graphs of a folder share (ONNX external data), so that no file meets protobuf's
 * limit of 2 GB. Tensors are written once, in the order in which they are first asked for; nothing is kept in memory.
 */
export class WeightFile {
  /** The name by which graphs beside it refer to it. */
  readonly location: string;
  readonly #descriptor: number;
  readonly #places = new Map<string, { offset: number; length: number }>();
  #end = 0;

  constructor(path: string) {
    this.location = basename(path);
    this.#descriptor = openSync(path, "wx");
  }

  get sizeBytes(): number {
    return this.#end;
  }

  put(name: string, make: () => Uint8Array): { offset: number; length: number } {
    const known = this.#places.get(name);
    if (known) return known;
    const bytes = make();
    const offset = Math.ceil(this.#end / ALIGNMENT) * ALIGNMENT;
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done);
    }
    this.#end = offset + bytes.length;
    const place = { offset, length: bytes.length };
    this.#places.set(name, place);
    return place;
  }

  close() {
    closeSync(this.#descriptor);
  }
}
