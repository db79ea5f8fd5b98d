import { Fourier } from "../../features/fourier.ts";

export type FilterbankSettings = { bins: number; lowHertz: number; highHertz: number };

const SAMPLE_RATE = 16_000;
const FRAME_SAMPLES = 400;
const SHIFT_SAMPLES = 160;
const FFT_SIZE = 512;
const PRE_EMPHASIS = 0.97;
/** Samples as 16-bit integers, which the networks' training saw. */
const SCALE = 32_768;
/** The smallest step of a 32-bit float above one: the floor below the logarithm. */
const FLOOR = 1.1920928955078125e-7;

/** Frames of 10 ms that a number of 16 kHz samples holds; a last frame that is not whole does not count. */
export function frameCount(samples: number): number {
  return samples < FRAME_SAMPLES ? 0 : 1 + Math.floor((samples - FRAME_SAMPLES) / SHIFT_SAMPLES);
}

/** Samples that a number of frames needs. */
export function samplesOfFrames(frames: number): number {
  return frames < 1 ? 0 : FRAME_SAMPLES + (frames - 1) * SHIFT_SAMPLES;
}

type Triangle = { first: number; weights: Float64Array };

/**
 * Log energies of a mel filterbank as Kaldi computes them (feature-fbank.cc, mel-computations.cc): 25 ms frames every
 * 10 ms, mean removed, pre-emphasis 0.97, Hamming window, 512-point power spectrum, triangles on the scale
 * 1127 ln(1 + f/700); no dither, edges snipped.
 */
export class KaldiFilterbank {
  readonly bins: number;
  readonly #triangles: Triangle[];
  readonly #window: Float64Array;
  readonly #fourier = new Fourier(FFT_SIZE);

  constructor({ bins, lowHertz, highHertz }: FilterbankSettings) {
    this.bins = bins;
    this.#triangles = triangles(bins, lowHertz, highHertz);
    this.#window = Float64Array.from(
      { length: FRAME_SAMPLES },
      (_, i) => 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (FRAME_SAMPLES - 1)),
    );
  }

  /** Samples in −1…1 → log energies `[frames, bins]`, written to `out` where given. */
  compute(samples: Float32Array, out = new Float32Array(frameCount(samples.length) * this.bins)): Float32Array {
    const frames = frameCount(samples.length);
    const { real, imaginary } = this.#fourier;
    // Two real frames are one complex transform.
    for (let frame = 0; frame < frames; frame += 2) {
      this.#fill(real, samples, frame * SHIFT_SAMPLES);
      if (frame + 1 < frames) this.#fill(imaginary, samples, (frame + 1) * SHIFT_SAMPLES);
      else imaginary.fill(0);
      const spectrum = this.#fourier.transform();
      this.#energies(spectrum, 1, out.subarray(frame * this.bins, (frame + 1) * this.bins));
      if (frame + 1 < frames) {
        this.#energies(spectrum, -1, out.subarray((frame + 1) * this.bins, (frame + 2) * this.bins));
      }
    }
    return out;
  }

  #fill(into: Float64Array, samples: Float32Array, start: number) {
    let mean = 0;
    for (let i = 0; i < FRAME_SAMPLES; i++) mean += samples[start + i];
    mean /= FRAME_SAMPLES;
    let previous = samples[start] - mean;
    for (let i = 0; i < FRAME_SAMPLES; i++) {
      const sample = samples[start + i] - mean;
      into[i] = (sample - PRE_EMPHASIS * previous) * this.#window[i] * SCALE;
      previous = sample;
    }
    into.fill(0, FRAME_SAMPLES);
  }

  /** The even part of the transform belongs to the first frame, the odd part to the second. */
  #energies({ real, imaginary }: { real: Float64Array; imaginary: Float64Array }, sign: 1 | -1, out: Float32Array) {
    for (let bin = 0; bin < this.bins; bin++) {
      const { first, weights } = this.#triangles[bin];
      let energy = 0;
      for (let i = 0; i < weights.length; i++) {
        const k = first + i;
        const mirrored = (FFT_SIZE - k) % FFT_SIZE;
        const a = real[k] + sign * real[mirrored];
        const b = imaginary[k] - sign * imaginary[mirrored];
        energy += (weights[i] * (a * a + b * b)) / 4;
      }
      out[bin] = Math.log(Math.max(energy, FLOOR));
    }
  }
}

const hertzToMel = (hertz: number) => 1127 * Math.log(1 + hertz / 700);

function triangles(bins: number, lowHertz: number, highHertz: number): Triangle[] {
  const low = hertzToMel(lowHertz);
  const step = (hertzToMel(highHertz) - low) / (bins + 1);
  return Array.from({ length: bins }, (_, bin) => {
    const centre = low + (bin + 1) * step;
    const all = Float64Array.from({ length: FFT_SIZE / 2 }, (_, k) => {
      const mel = hertzToMel((k * SAMPLE_RATE) / FFT_SIZE);
      return Math.max(0, 1 - Math.abs(mel - centre) / step);
    });
    const first = all.findIndex((weight) => weight > 0);
    const last = all.findLastIndex((weight) => weight > 0);
    return first < 0 ? { first: 0, weights: new Float64Array(0) } : { first, weights: all.slice(first, last + 1) };
  });
}

/** Takes each bin's mean over the frames away, in place: `[frames, bins]`. */
export function removeMean(features: Float32Array, bins: number): Float32Array {
  const frames = features.length / bins;
  for (let bin = 0; bin < bins; bin++) {
    let sum = 0;
    for (let i = bin; i < features.length; i += bins) sum += features[i];
    for (let i = bin; i < features.length; i += bins) features[i] -= sum / frames;
  }
  return features;
}
