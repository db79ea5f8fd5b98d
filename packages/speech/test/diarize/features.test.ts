import { describe, expect, test } from "@jest/globals";
import { CEPSTRA, CepstrumAnalysis } from "../../src/diarize/features/cepstra.ts";
import {
  frameCount,
  KaldiFilterbank,
  removeMean,
  samplesOfFrames,
} from "../../src/diarize/features/kaldi-filterbank.ts";
import { seededRandom } from "../../src/diarize/gaussian/gaussian-mixture.ts";

/** One frame's energies, by the definition: no fast transform, no packing, filters made from the frequencies anew. */
function naiveEnergies(samples: Float32Array, start: number, bins: number, low: number, high: number): number[] {
  const mel = (hertz: number) => 1127 * Math.log(1 + hertz / 700);
  const frame = Array.from(samples.subarray(start, start + 400), (sample) => sample * 32768);
  const mean = frame.reduce((sum, sample) => sum + sample, 0) / 400;
  const centred = frame.map((sample) => sample - mean);
  const windowed = centred.map(
    (sample, i) => (sample - 0.97 * centred[Math.max(0, i - 1)]) * (0.54 - 0.46 * Math.cos((2 * Math.PI * i) / 399)),
  );
  const power = Array.from({ length: 256 }, (_, k) => {
    let [real, imaginary] = [0, 0];
    windowed.forEach((sample, i) => {
      real += sample * Math.cos((2 * Math.PI * k * i) / 512);
      imaginary -= sample * Math.sin((2 * Math.PI * k * i) / 512);
    });
    return real ** 2 + imaginary ** 2;
  });
  const width = (mel(high) - mel(low)) / (bins + 1);
  return Array.from({ length: bins }, (_, bin) => {
    const [left, centre, right] = [bin, bin + 1, bin + 2].map((i) => mel(low) + i * width);
    const energy = power.reduce((sum, value, k) => {
      const at = mel((k * 16000) / 512);
      if (at <= left || at >= right) return sum;
      return sum + value * (at <= centre ? (at - left) / (centre - left) : (right - at) / (right - centre));
    }, 0);
    return Math.log(Math.max(energy, 1.1920928955078125e-7));
  });
}

describe("the filterbank of the embedding networks", () => {
  const random = seededRandom(5);
  const samples = Float32Array.from({ length: 400 + 160 * 4 + 100 }, (_, i) => 0.3 * Math.sin(i / 7) + 0.1 * random());
  const energies = new KaldiFilterbank({ bins: 80, lowHertz: 20, highHertz: 8000 }).compute(samples);

  test("has whole frames only", () => {
    expect(energies).toHaveLength(5 * 80);
    expect([399, 400, 559, 560].map(frameCount)).toEqual([0, 1, 1, 2]);
    expect([0, 1, 5].map(samplesOfFrames)).toEqual([0, 400, 1040]);
  });

  test.each([0, 1, 4])("agrees with the definition in frame %i", (frame) => {
    const expected = naiveEnergies(samples, frame * 160, 80, 20, 8000);
    for (const [bin, value] of expected.entries()) expect(energies[frame * 80 + bin]).toBeCloseTo(value, 3);
  });

  test("ends at its floor in silence", () => {
    const silence = new KaldiFilterbank({ bins: 80, lowHertz: 20, highHertz: 8000 }).compute(new Float32Array(400));
    expect(Math.max(...silence)).toBeCloseTo(Math.log(1.1920928955078125e-7), 5);
  });

  test("without its mean sums to nothing over the frames", () => {
    const centred = removeMean(energies.slice(), 80);
    for (const bin of [0, 40, 79]) {
      const column = Array.from({ length: 5 }, (_, frame) => centred[frame * 80 + bin]);
      expect(column.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 3);
    }
  });
});

test("cepstra do not know how loud it is", () => {
  const random = seededRandom(6);
  const samples = Float32Array.from({ length: 720 }, () => random() - 0.5);
  const analysis = new CepstrumAnalysis();
  const soft = analysis.compute(samples.map((sample) => sample / 10));
  const loud = analysis.compute(samples);
  expect(soft).toHaveLength(3 * CEPSTRA);
  for (const [i, value] of soft.entries()) expect(value).toBeCloseTo(loud[i], 3);
});
