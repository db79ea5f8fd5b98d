import { frameCount, type KaldiFilterbank } from "../features/kaldi-filterbank.ts";

const SHIFT_SAMPLES = 160;

/**
 * Filterbank frames of windows that follow each other and overlap: what the window before has computed is not computed
 * again. The numbers are the same as of each window by itself.
 */
export class WindowFeatures {
  readonly #filterbank: KaldiFilterbank;
  /** Where the window before began. */
  #start = Number.NaN;
  #frames = new Float32Array(0);
  #given = new Float32Array(0);

  constructor(filterbank: KaldiFilterbank) {
    this.#filterbank = filterbank;
  }

  /**
   * `[frames, bins]` of the window that begins at sample `start` of its recording: the caller's to change, until the next
   * window.
   */
  of(start: number, samples: Float32Array): Float32Array {
    const { bins } = this.#filterbank;
    const size = frameCount(samples.length) * bins;
    const known = this.#keepShared(start, size);
    this.#filterbank.compute(samples.subarray((known / bins) * SHIFT_SAMPLES), this.#frames.subarray(known));
    this.#start = start;
    this.#given.set(this.#frames);
    return this.#given;
  }

  /** Moves what this window has in common with the one before to the beginning, and says how many numbers that are. */
  #keepShared(start: number, size: number): number {
    if (this.#frames.length !== size) {
      this.#frames = new Float32Array(size);
      this.#given = new Float32Array(size);
      return 0;
    }
    const moved = (start - this.#start) / SHIFT_SAMPLES;
    // The filterbank transforms frames two by two: those of a pair stay together.
    const shared = moved > 0 && moved % 2 === 0 ? size - moved * this.#filterbank.bins : 0;
    if (shared <= 0) return 0;
    this.#frames.copyWithin(0, size - shared);
    return shared;
  }
}
