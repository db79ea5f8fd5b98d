import type { FeatureSettings } from "../features/log-mel.ts";
import { melFilters } from "../features/mel-filters.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { bytes } from "./projection.ts";

/**
 * Whisper's log-mel features as a graph: `samples` `[batch, 1, windowSamples]` (zeros behind the sound) → `mel`
 * `[batch, bins, frames]`, each window limited by its own maximum. The Fourier transform is a convolution whose kernels
 * are windowed cosines and sines: as a matrix product it is faster than a transform in JavaScript.
 */
export function buildFeatures(g: GraphBuilder, settings: FeatureSettings, windowSamples: number) {
  const { melBins, fftSize, hopSize, sampleRate } = settings;
  const bins = Math.floor(fftSize / 2) + 1;
  const frames = Math.floor(windowSamples / hopSize);
  const margin = fftSize >> 1;

  const samples = g.input("samples", "float32", ["batch", 1, windowSamples]);
  const padded = g.op("Pad", [samples, g.ids(0, 0, margin, 0, 0, margin)], { attributes: { mode: "reflect" } });
  const kernels = g.weight("features.kernels", "float32", [2 * bins, 1, fftSize], () =>
    bytes(kernelsOf(fftSize, bins)),
  );
  const spectrum = g.op("Conv", [padded, kernels], { attributes: { kernel_shape: [fftSize], strides: [hopSize] } });
  const framed = g.op("Slice", [spectrum, g.ids(0), g.ids(frames), g.ids(2)]);
  const [real, imaginary] = g.ops("Split", [framed, g.ids(bins, bins)], 2, { attributes: { axis: { int: 1 } } });
  const power = g.op("Add", [g.op("Mul", [real, real]), g.op("Mul", [imaginary, imaginary])]);
  const filters = g.weight("features.filters", "float32", [melBins, bins], () => {
    const all = new Float32Array(melBins * bins);
    for (const [bin, { first, weights }] of melFilters(melBins, fftSize, sampleRate).entries()) {
      all.set(weights, bin * bins + first);
    }
    return bytes(all);
  });
  const floored = g.op("Max", [g.op("MatMul", [filters, power]), g.float(1e-10)]);
  const log = g.op("Mul", [g.op("Log", [floored]), g.float(1 / Math.LN10)]);
  const largest = g.op("ReduceMax", [log, g.ids(1, 2)], { attributes: { keepdims: { int: 1 } } });
  const limited = g.op("Max", [log, g.op("Sub", [largest, g.float(8)])]);
  const mel = g.op("Mul", [g.op("Add", [limited, g.float(4)]), g.float(0.25)]);
  g.output("mel", mel, "float32", ["batch", melBins, frames]);
}

/** `[2 * bins, 1, fftSize]`: cosines, then sines, under Hann's window. */
function kernelsOf(fftSize: number, bins: number): Float32Array {
  const kernels = new Float32Array(2 * bins * fftSize);
  for (let i = 0; i < fftSize; i++) {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / fftSize);
    for (let k = 0; k < bins; k++) {
      // The angle modulo a full turn, in whole numbers: no precision is lost far out.
      const angle = (2 * Math.PI * ((i * k) % fftSize)) / fftSize;
      kernels[k * fftSize + i] = hann * Math.cos(angle);
      kernels[(bins + k) * fftSize + i] = -hann * Math.sin(angle);
    }
  }
  return kernels;
}
