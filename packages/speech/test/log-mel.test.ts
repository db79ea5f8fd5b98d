import { describe, expect, test } from "@jest/globals";
import { Fourier } from "../src/features/fourier.ts";
import { LogMel, mirror } from "../src/features/log-mel.ts";
import { melFilters } from "../src/features/mel-filters.ts";
import { randomFrom } from "../src/whisper/random.ts";

const SETTINGS = { melBins: 80, fftSize: 400, hopSize: 160, sampleRate: 16000 };

function noise(length: number, seed: string): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length }, () => random() - 0.5);
}

/** The features by their definition alone: a plain transform of each frame, in fp64. */
function naiveWindow(samples: Float32Array, frames: number, { melBins, fftSize, hopSize, sampleRate } = SETTINGS) {
  const padded = mirror(samples, frames * hopSize, fftSize / 2);
  const hertzToMel = (hertz: number) =>
    hertz < 1000 ? (3 * hertz) / 200 : 15 + (27 * Math.log(hertz / 1000)) / Math.log(6.4);
  const melToHertz = (mel: number) => (mel < 15 ? (200 * mel) / 3 : 1000 * 6.4 ** ((mel - 15) / 27));
  const edge = (i: number) => melToHertz((hertzToMel(sampleRate / 2) * i) / (melBins + 1));
  const mel = new Float64Array(melBins * frames);
  for (let frame = 0; frame < frames; frame++) {
    const power: number[] = [];
    for (let k = 0; k <= fftSize / 2; k++) {
      let [real, imaginary] = [0, 0];
      for (let i = 0; i < fftSize; i++) {
        const value = padded[frame * hopSize + i] * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / fftSize));
        real += value * Math.cos((2 * Math.PI * i * k) / fftSize);
        imaginary -= value * Math.sin((2 * Math.PI * i * k) / fftSize);
      }
      power.push(real ** 2 + imaginary ** 2);
    }
    for (let bin = 0; bin < melBins; bin++) {
      const [low, centre, high] = [edge(bin), edge(bin + 1), edge(bin + 2)];
      const sum = power.reduce((total, value, k) => {
        const hertz = (k * sampleRate) / fftSize;
        const weight = Math.max(0, Math.min((hertz - low) / (centre - low), (high - hertz) / (high - centre)));
        return total + (weight * 2 * value) / (high - low);
      }, 0);
      mel[bin * frames + frame] = Math.log10(Math.max(sum, 1e-10));
    }
  }
  const maximum = Math.max(...mel);
  return mel.map((value) => (Math.max(value, maximum - 8) + 4) / 4);
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

describe("the Fourier transform", () => {
  test.each([1, 2, 3, 4, 5, 12, 49, 77, 120, 400, 512])("of %i points is that of the definition", (size) => {
    const fourier = new Fourier(size);
    const [real, imaginary] = [noise(size, "real"), noise(size, "imaginary")];
    fourier.real.set(real);
    fourier.imaginary.set(imaginary);
    const result = fourier.transform();
    for (let k = 0; k < size; k++) {
      let [sumReal, sumImaginary] = [0, 0];
      for (let i = 0; i < size; i++) {
        const [cos, sin] = [Math.cos((2 * Math.PI * i * k) / size), Math.sin((2 * Math.PI * i * k) / size)];
        sumReal += real[i] * cos + imaginary[i] * sin;
        sumImaginary += imaginary[i] * cos - real[i] * sin;
      }
      expect(result.real[k]).toBeCloseTo(sumReal, 9);
      expect(result.imaginary[k]).toBeCloseTo(sumImaginary, 9);
    }
  });

  test("of no points is refused", () => {
    expect(() => new Fourier(0)).toThrow(RangeError);
  });
});

describe("log-mel features", () => {
  test.each([80, 128])("with %i bins are those of their definition", (melBins) => {
    const settings = { ...SETTINGS, melBins };
    const samples = noise(1500, "speech");
    const features = new LogMel(settings).window(samples, 12);
    expect(distance(features, naiveWindow(samples, 12, settings))).toBeLessThan(1e-5);
  });

  test("do not depend on how many frames are computed at once", () => {
    const logMel = new LogMel(SETTINGS);
    const samples = noise(400 + 6 * 160, "frames");
    const seven = logMel.logPower(samples, 7);
    const two = logMel.logPower(samples, 2);
    for (let bin = 0; bin < 80; bin++) expect(two[2 * bin + 1]).toBeCloseTo(seven[7 * bin + 1], 5);
  });

  test("of silence are all alike", () => {
    const features = new LogMel(SETTINGS).window(new Float32Array(0), 100);
    expect(new Set(features)).toEqual(new Set([Math.fround((-10 + 4) / 4)]));
  });

  test("stay finite where samples are not", () => {
    const samples = noise(1600, "broken");
    samples.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], 500);
    const features = new LogMel(SETTINGS).window(samples, 10);
    expect(features.every(Number.isFinite)).toBe(true);
    samples.fill(0, 500, 503);
    expect(distance(features, new LogMel(SETTINGS).window(samples, 10))).toBe(0);
  });

  test("a filter bank covers the spectrum, each filter of the same area", () => {
    for (const filter of melFilters(80, 400, 16000)) {
      expect(filter.weights.length).toBeGreaterThan(0);
      expect(filter.first + filter.weights.length).toBeLessThanOrEqual(201);
    }
  });
});
