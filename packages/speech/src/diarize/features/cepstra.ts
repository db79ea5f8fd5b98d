import { frameCount, KaldiFilterbank } from "./kaldi-filterbank.ts";

/** How many cepstral coefficients describe a frame; the loudness, coefficient 0, is none of them. */
export const CEPSTRA = 14;
const FILTERS = 32;
/** Coefficients are weighted so that their ranges are alike (HTK's lifter). */
const LIFTER = 22;

/** Mel-frequency cepstral coefficients 1…14 of samples: a cosine transform of log mel energies. */
export class CepstrumAnalysis {
  readonly #filterbank = new KaldiFilterbank({ bins: FILTERS, lowHertz: 60, highHertz: 7600 });
  readonly #basis: Float64Array;
  #energies = new Float32Array(0);

  constructor() {
    this.#basis = new Float64Array(CEPSTRA * FILTERS);
    for (let c = 0; c < CEPSTRA; c++) {
      const weight = Math.sqrt(2 / FILTERS) * (1 + (LIFTER / 2) * Math.sin((Math.PI * (c + 1)) / LIFTER));
      for (let filter = 0; filter < FILTERS; filter++) {
        this.#basis[c * FILTERS + filter] = weight * Math.cos((Math.PI * (c + 1) * (filter + 0.5)) / FILTERS);
      }
    }
  }

  /** Samples in −1…1 → `[frames, 14]`, a frame each 10 ms, written to `out` where given. */
  compute(samples: Float32Array, out = new Float32Array(frameCount(samples.length) * CEPSTRA)): Float32Array {
    const frames = frameCount(samples.length);
    if (this.#energies.length < frames * FILTERS) this.#energies = new Float32Array(frames * FILTERS);
    const energies = this.#filterbank.compute(samples, this.#energies);
    for (let frame = 0; frame < frames; frame++) {
      for (let c = 0; c < CEPSTRA; c++) {
        let sum = 0;
        for (let filter = 0; filter < FILTERS; filter++) {
          sum += this.#basis[c * FILTERS + filter] * energies[frame * FILTERS + filter];
        }
        out[frame * CEPSTRA + c] = sum;
      }
    }
    return out;
  }
}
