import { freeMemory } from "../sessions/free-memory.ts";

/** Numbers that a slot may hold. */
export type SlotValues = Float32Array | Int8Array;

/** Equal slots of numbers, one after the other, in memory that grows: slots are added and removed without copying the rest. */
export class SlotBuffer<Values extends SlotValues = Float32Array> {
  slotSize: number;
  readonly #make: (size: number) => Values;
  #values: Values;
  #count = 0;

  constructor(slotSize: number, make: (size: number) => Values) {
    this.slotSize = slotSize;
    this.#make = make;
    this.#values = make(0);
  }

  /** All slots, until the next change; what stands behind the last one means nothing. */
  get values(): Values {
    return this.#values;
  }

  /** Copies slot `index` of `source` to the end. */
  append(source: Values, index: number) {
    const size = this.slotSize;
    if (this.#values.length < (this.#count + 1) * size) {
      const more = this.#make(Math.max(this.#count + 1, Math.ceil(this.#count * 1.5)) * size);
      more.set(this.#values.subarray(0, this.#count * size));
      this.replace(more, this.#count);
    }
    this.#values.set(source.subarray(index * size, (index + 1) * size), this.#count * size);
    this.#count++;
  }

  /** The last slot takes the place of `index`. */
  remove(index: number) {
    this.#count--;
    const size = this.slotSize;
    if (index < this.#count) this.#values.copyWithin(index * size, this.#count * size, (this.#count + 1) * size);
  }

  /** Slot `i` holds what slot `from[i]` held. */
  reorder(from: readonly number[]) {
    const values = this.#make(this.#values.length);
    const size = this.slotSize;
    for (const [slot, source] of from.entries()) {
      values.set(this.#values.subarray(source * size, (source + 1) * size), slot * size);
    }
    this.replace(values, this.#count);
  }

  truncate(count: number) {
    this.#count = Math.min(this.#count, count);
  }

  /** Takes over `values` with `count` slots; the memory of what was before is given back. */
  replace(values: Values, count: number) {
    freeMemory(this.#values);
    this.#values = values;
    this.#count = count;
  }
}
