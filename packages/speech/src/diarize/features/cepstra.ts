import { KaldiFilterbank } from "./kaldi-filterbank.ts";

/** How many cepstral coefficients describe a frame; the loudness, coefficient 0, is none of them. */
export const CEPSTRA = 14;
const FILTERS = 32;
/** Coefficients are weighted so that their ranges are alike (HTK's lifter). */
const LIFTER = 22;

/** Mel-frequency cepstral coefficients 1…14 of samples: a cosine transform of log mel energies. */
export class CepstrumAnalysis {
  readonly #filterbank = new KaldiFilterbank({ bins: FILTERS, lowHertz: 60, highHertz: 7600 });
  readonly #basis: Float64Array;

  constructor() {
    this.#basis = new Float64Array(CEPSTRA * FILTERS);
    for (let c = 0; c < CEPSTRA; c++) {
      const weight = Math.sqrt(2 / FILTERS) * (1 + (LIFTER / 2) * Math.sin((Math.PI * (c + 1)) / LIFTER));
      for (let filter = 0; filter < FILTERS; filter++) {
        this.#basis[c * FILTERS + filter] = weight * Math.cos((Math.PI * (c + 1) * (filter + 0.5)) / FILTERS);
      }
    }
  }

  /** Samples in −1…1 → `[frames, 14]`, a frame each 10 ms. */
  compute(samples: Float32Array): Float32Array {
    const energies = this.#filterbank.compute(samples);
    const frames = energies.length / FILTERS;
    const out = new Float32Array(frames * CEPSTRA);
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
