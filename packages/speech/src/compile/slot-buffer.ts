/** Equal slots of numbers, one after the other, in memory that grows: slots are added and removed without copying the rest. */
export class SlotBuffer {
  slotSize: number;
  #values: Float32Array = new Float32Array(0);
  #count = 0;

  constructor(slotSize: number) {
    this.slotSize = slotSize;
  }

  /** All slots; what stands behind the last one means nothing. */
  get values(): Float32Array {
    return this.#values;
  }

  /** Copies slot `index` of `source` to the end. */
  append(source: Float32Array, index: number) {
    const size = this.slotSize;
    if (this.#values.length < (this.#count + 1) * size) {
      const more = new Float32Array(Math.max(this.#count + 1, Math.ceil(this.#count * 1.5)) * size);
      more.set(this.#values.subarray(0, this.#count * size));
      this.#values = more;
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
    const values = new Float32Array(this.#values.length);
    const size = this.slotSize;
    for (const [slot, source] of from.entries()) {
      values.set(this.#values.subarray(source * size, (source + 1) * size), slot * size);
    }
    this.#values = values;
  }

  truncate(count: number) {
    this.#count = Math.min(this.#count, count);
  }

  /** Takes over `values` with `count` slots. */
  replace(values: Float32Array, count: number) {
    this.#values = values;
    this.#count = count;
  }
}
