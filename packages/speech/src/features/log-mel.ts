import { Fourier } from "./fourier.ts";
import { type MelFilter, melFilters } from "./mel-filters.ts";

export type FeatureSettings = {
  melBins: number;
  fftSize: number;
  /** Samples between frames. */
  hopSize: number;
  sampleRate: number;
};

/** log10 of the smallest power that counts; silence has this value. */
const FLOOR = -10;
const SMALLEST_POWER = 1e-10;

/**
 * Whisper's log-mel features (Radford et al. 2022, section 2.2, and its published code): Hann windows, power spectrum,
 * Slaney mel filters, log10, limited to 8 below the maximum, scaled to (x + 4) / 4. Holds the tables and buffers of one
 * set of settings; pure otherwise.
 */
export class LogMel {
  readonly settings: FeatureSettings;
  readonly #fourier: Fourier;
  readonly #filters: MelFilter[];
  readonly #hann: Float64Array;
  readonly #powers: [Float64Array, Float64Array];

  constructor(settings: FeatureSettings) {
    const { melBins, fftSize, sampleRate } = settings;
    this.settings = settings;
    this.#fourier = new Fourier(fftSize);
    this.#filters = melFilters(melBins, fftSize, sampleRate);
    this.#hann = Float64Array.from({ length: fftSize }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / fftSize));
    const spectrumBins = Math.floor(fftSize / 2) + 1;
    this.#powers = [new Float64Array(spectrumBins), new Float64Array(spectrumBins)];
  }

  /**
   * Features `[melBins, frames]` of a window on its own: the samples (−1…1) followed by zeros to `frames * hopSize`,
   * mirrored at both ends, limited by the window's own maximum.
   */
  window(samples: Float32Array, frames: number): Float32Array {
    const mel = this.logPower(mirror(samples, frames * this.settings.hopSize, this.settings.fftSize >> 1), frames);
    return scaleLogMel(mel, maximumOf(mel));
  }

  /**
   * log10 mel power `[melBins, frames]`, not yet limited; frame `f` covers `samples[f * hopSize …]` of `fftSize`
   * samples, so `samples` needs `(frames - 1) * hopSize + fftSize`. Samples that are no finite numbers count as zero.
   */
  logPower(samples: Float32Array, frames: number): Float32Array {
    const { melBins, hopSize } = this.settings;
    const mel = new Float32Array(melBins * frames).fill(FLOOR);
    // Frames beyond the last sample that is not zero are silence: nothing to compute.
    const lastSample = samples.findLastIndex((sample) => sample !== 0);
    const soundingFrames = Math.min(frames, Math.floor(lastSample / hopSize) + 1);
    for (let frame = 0; frame < soundingFrames; frame += 2) {
      this.#spectrumOfTwo(samples, frame * hopSize);
      this.#filter(this.#powers[0], mel, frame, frames);
      if (frame + 1 < soundingFrames) this.#filter(this.#powers[1], mel, frame + 1, frames);
    }
    return mel;
  }

  /** Power spectra of two neighbouring frames by one transform: one as its real, the other as its imaginary part. */
  #spectrumOfTwo(samples: Float32Array, offset: number) {
    const { fftSize, hopSize } = this.settings;
    const input = this.#fourier;
    for (let i = 0; i < fftSize; i++) {
      const first = samples[offset + i];
      const second = samples[offset + hopSize + i];
      // x - x is 0 for finite numbers only; beyond the end, undefined gives NaN.
      input.real[i] = first - first === 0 ? first * this.#hann[i] : 0;
      input.imaginary[i] = second - second === 0 ? second * this.#hann[i] : 0;
    }
    const { real, imaginary } = input.transform();
    const [firstPower, secondPower] = this.#powers;
    for (let k = 0; k < firstPower.length; k++) {
      const mirrored = k === 0 ? 0 : fftSize - k;
      const sumReal = real[k] + real[mirrored];
      const sumImaginary = imaginary[k] + imaginary[mirrored];
      const differenceReal = real[k] - real[mirrored];
      const differenceImaginary = imaginary[k] - imaginary[mirrored];
      firstPower[k] = (sumReal * sumReal + differenceImaginary * differenceImaginary) / 4;
      secondPower[k] = (sumImaginary * sumImaginary + differenceReal * differenceReal) / 4;
    }
  }

  #filter(power: Float64Array, mel: Float32Array, frame: number, frames: number) {
    for (let bin = 0; bin < this.#filters.length; bin++) {
      const { first, weights } = this.#filters[bin];
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * power[first + i];
      if (sum > SMALLEST_POWER) mel[bin * frames + frame] = Math.log10(sum);
    }
  }
}

/** Limits log power to 8 (80 dB) below `maximum` and scales it, in place. */
export function scaleLogMel(mel: Float32Array, maximum: number): Float32Array {
  const floor = maximum - 8;
  for (let i = 0; i < mel.length; i++) mel[i] = (Math.max(mel[i], floor) + 4) / 4;
  return mel;
}

export function maximumOf(mel: Float32Array): number {
  let maximum = FLOOR;
  for (let i = 0; i < mel.length; i++) if (mel[i] > maximum) maximum = mel[i];
  return maximum;
}

/** Samples followed by zeros to `length`, with `margin` mirrored samples before and behind (the ends not repeated). */
export function mirror(samples: Float32Array, length: number, margin: number): Float32Array {
  const padded = new Float32Array(length + 2 * margin);
  padded.set(samples.length > length ? samples.subarray(0, length) : samples, margin);
  for (let i = 1; i <= margin; i++) {
    padded[margin - i] = padded[margin + i];
    padded[margin + length - 1 + i] = padded[margin + length - 1 - i];
  }
  return padded;
}
