import { LOCAL_SPEAKERS, WINDOW_FRAMES } from "./frames.ts";

/** The place of an embedding: rows of clear ones from 1 on, of faint ones from −1 down; 0 is none. */
type Place = number;

/**
 * What is kept of a recording's windows until all are heard: who of its own speaks, a bit each, and an embedding of each
 * who does. A byte a frame and four a number, in few large pieces and without a copy; the memory is asked for at once,
 * and taken as it is written to.
 */
export class HeardWindows {
  count = 0;
  /** `[windows, 589]`. */
  readonly active: Uint8Array;
  readonly #places: Int32Array;
  readonly #clear: Rows;
  readonly #faint: Rows;

  constructor(count: number) {
    this.active = new Uint8Array(count * WINDOW_FRAMES);
    this.#places = new Int32Array(count * LOCAL_SPEAKERS);
    this.#clear = new Rows(count * LOCAL_SPEAKERS);
    this.#faint = new Rows(count * LOCAL_SPEAKERS);
  }

  /** `active [589, 3]`; of the embeddings those are `clear` that tell speakers apart. */
  add(active: Uint8Array, embeddings: readonly (Float32Array | null)[], clear: readonly boolean[]) {
    const first = this.count * WINDOW_FRAMES;
    for (let i = 0; i < active.length; i++) {
      if (active[i]) this.active[first + Math.floor(i / LOCAL_SPEAKERS)] |= 1 << (i % LOCAL_SPEAKERS);
    }
    embeddings.forEach((embedding, s) => {
      if (embedding) this.#places[this.count * LOCAL_SPEAKERS + s] = this.#keep(embedding, clear[s]);
    });
    this.count++;
  }

  #keep(embedding: Float32Array, clear: boolean): Place {
    return clear ? this.#clear.add(embedding) : -this.#faint.add(embedding);
  }

  /** All clear embeddings, `[n, width]`; all others where none is clear. */
  telling(): { values: Float32Array; width: number } {
    return (this.#clear.count > 0 ? this.#clear : this.#faint).all();
  }

  /** For each window's own speakers what `name` says of their embedding, −1 where there is none: `[windows, 3]`. */
  named(name: (embedding: Float32Array) => number): Int8Array {
    return Int8Array.from(this.#places, (place) => {
      if (place === 0) return -1;
      return name(place > 0 ? this.#clear.row(place) : this.#faint.row(-place));
    });
  }
}

/** Vectors of one width, one behind the other; numbers of rows begin with 1. */
class Rows {
  count = 0;
  readonly #most: number;
  #values = new Float32Array(0);
  #width = 1;

  constructor(most: number) {
    this.#most = most;
  }

  add(row: Float32Array): number {
    if (this.count === 0) {
      this.#width = row.length;
      this.#values = new Float32Array(this.#most * row.length);
    }
    this.#values.set(row, this.count * this.#width);
    return ++this.count;
  }

  row(number: number): Float32Array {
    return this.#values.subarray((number - 1) * this.#width, number * this.#width);
  }

  all() {
    return { values: this.#values.subarray(0, this.count * this.#width), width: this.#width };
  }
}
