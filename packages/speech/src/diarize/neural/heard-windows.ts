import { LOCAL_SPEAKERS, WINDOW_FRAMES } from "./frames.ts";

/** What is kept of a window: who of its own speaks, as bits, and an embedding of each who does. */
export type HeardWindow = { start: number; active: Uint8Array; embeddings: (Float32Array | null)[] };

/**
 * What is kept of a recording's windows until all are heard: a byte a frame and four a number, without a copy. The
 * memory is asked for at once, and taken as it is written to.
 */
export class HeardWindows {
  readonly list: HeardWindow[] = [];
  readonly #count: number;
  readonly #active: Uint8Array;
  readonly #rows: { clear: Rows; faint: Rows };

  constructor(count: number) {
    this.#count = count;
    this.#active = new Uint8Array(count * WINDOW_FRAMES);
    this.#rows = { clear: new Rows(count * LOCAL_SPEAKERS), faint: new Rows(count * LOCAL_SPEAKERS) };
  }

  /** `active [589, 3]`; of the embeddings those are `clear` that tell speakers apart. */
  add(start: number, active: Uint8Array, embeddings: readonly (Float32Array | null)[], clear: readonly boolean[]) {
    if (this.list.length === this.#count) throw new RangeError("more windows than were announced");
    const at = this.list.length * WINDOW_FRAMES;
    const bits = this.#active.subarray(at, at + WINDOW_FRAMES);
    for (let i = 0; i < active.length; i++) {
      if (active[i]) bits[Math.floor(i / LOCAL_SPEAKERS)] |= 1 << (i % LOCAL_SPEAKERS);
    }
    const kept = embeddings.map((embedding, s) => embedding && this.#rows[clear[s] ? "clear" : "faint"].add(embedding));
    this.list.push({ start, active: bits, embeddings: kept });
  }

  /** All clear embeddings, `[n, width]`; all others where none is clear. */
  telling(): { values: Float32Array; width: number } {
    const { clear, faint } = this.#rows;
    return (clear.count > 0 ? clear : faint).all();
  }
}

/** Vectors of one width, one behind the other. */
class Rows {
  count = 0;
  readonly #most: number;
  #values = new Float32Array(0);
  #width = 1;

  constructor(most: number) {
    this.#most = most;
  }

  add(row: Float32Array): Float32Array {
    if (this.count === 0) {
      this.#width = row.length;
      this.#values = new Float32Array(this.#most * row.length);
    }
    const kept = this.#values.subarray(this.count * this.#width, ++this.count * this.#width);
    kept.set(row);
    return kept;
  }

  all() {
    return { values: this.#values.subarray(0, this.count * this.#width), width: this.#width };
  }
}
