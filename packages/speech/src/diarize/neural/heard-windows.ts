import type { Embeddings } from "../cluster/cluster-embeddings.ts";
import { LOCAL_SPEAKERS, WINDOW_FRAMES } from "./frames.ts";
import { SpilledRows } from "./spilled-rows.ts";

/** The place of an embedding: rows of clear ones from 1 on, of faint ones from −1 down; 0 is none. */
type Place = number;

/**
 * What is kept of a recording's windows until all are heard: who of its own speaks, a bit each, and an embedding of each
 * who does. On disk, in `folder`, but for some megabytes: an hour has 15 MB of it. Close it.
 */
export class HeardWindows {
  count = 0;
  readonly #active: SpilledRows;
  readonly #places: Int32Array;
  readonly #clear: Vectors;
  readonly #faint: Vectors;

  constructor(folder: string, count: number) {
    this.#active = new SpilledRows(folder, WINDOW_FRAMES);
    this.#places = new Int32Array(count * LOCAL_SPEAKERS);
    this.#clear = new Vectors(folder);
    this.#faint = new Vectors(folder);
  }

  /** `active [589, 3]`; of the embeddings those are `clear` that tell speakers apart. */
  add(active: Uint8Array, embeddings: readonly (Float32Array | null)[], clear: readonly boolean[]) {
    const bits = new Uint8Array(WINDOW_FRAMES);
    for (let i = 0; i < active.length; i++) {
      if (active[i]) bits[Math.floor(i / LOCAL_SPEAKERS)] |= 1 << (i % LOCAL_SPEAKERS);
    }
    this.#active.add(bits);
    embeddings.forEach((embedding, s) => {
      if (embedding) this.#places[this.count * LOCAL_SPEAKERS + s] = this.#keep(embedding, clear[s]);
    });
    this.count++;
  }

  #keep(embedding: Float32Array, clear: boolean): Place {
    return clear ? this.#clear.add(embedding) + 1 : -this.#faint.add(embedding) - 1;
  }

  /** Who speaks in a window, a byte a frame with a bit for each, `[589]`: until the next is asked for. */
  activeIn(window: number): Uint8Array {
    return this.#active.row(window);
  }

  /** All clear embeddings; all others where none is clear. */
  telling(): Embeddings {
    return this.#clear.count > 0 ? this.#clear : this.#faint;
  }

  /** For each window's own speakers what `name` says of their embedding, −1 where there is none: `[windows, 3]`. */
  named(name: (embedding: Float32Array) => number): Int8Array {
    return Int8Array.from(this.#places, (place) => {
      if (place === 0) return -1;
      return name(place > 0 ? this.#clear.vector(place - 1) : this.#faint.vector(-place - 1));
    });
  }

  close(): void {
    for (const rows of [this.#active, this.#clear, this.#faint]) rows.close();
  }
}

/** Vectors of one width, which the first has. */
class Vectors implements Embeddings {
  width = 1;
  readonly #folder: string;
  #rows: SpilledRows | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get count(): number {
    return this.#rows?.count ?? 0;
  }

  add(vector: Float32Array): number {
    if (!this.#rows) {
      this.width = vector.length;
      this.#rows = new SpilledRows(this.#folder, vector.byteLength);
    }
    return this.#rows.add(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
  }

  /** Until the next is asked for. */
  vector(number: number): Float32Array {
    const { buffer, byteOffset } = this.#rows!.row(number);
    return new Float32Array(buffer, byteOffset, this.width);
  }

  copy(from: number, to: number): Float32Array {
    const values = new Float32Array((to - from) * this.width);
    for (let i = from; i < to; i++) values.set(this.vector(i), (i - from) * this.width);
    return values;
  }

  close(): void {
    this.#rows?.close();
  }
}
