import type { Norm } from "./network-weights.ts";
import type { Linear } from "./projection.ts";

/** How many standard deviations of a normalized value count as its reach. */
const REACH = 3;
const SMALLEST = 1e-6;

/**
 * Moves scale between a LayerNorm and the matrices that it feeds, channel by channel, so that neither activations nor
 * weights have channels much larger than the rest: the same function, better in 8 bit. A channel's reach is known from
 * gain and bias alone, because what LayerNorm scales has variance 1. (Xiao et al. 2022, SmoothQuant, at α = 0.5, with
 * that reach in place of measured activations.) What the LayerNorm gives times `factors` is what it gave before.
 */
export function equalizeInputs(
  norm: Norm,
  linears: readonly Linear[],
): { norm: Norm; linears: Linear[]; factors: Float32Array } {
  const channels = norm.gain.length;
  const gain = Float32Array.from(norm.gain);
  const bias = Float32Array.from(norm.bias);
  const factors = new Float32Array(channels);
  const largest = new Float32Array(channels).fill(SMALLEST);
  const read = linears.map((linear) => linear.weights);
  for (const [i, { inputs }] of linears.entries()) {
    const weights = read[i];
    for (let row = 0; row < weights.length; row += inputs) {
      for (let channel = 0; channel < inputs; channel++) {
        const weight = Math.abs(weights[row + channel]);
        if (weight > largest[channel]) largest[channel] = weight;
      }
    }
  }
  for (let channel = 0; channel < channels; channel++) {
    const reach = REACH * Math.abs(gain[channel]) + Math.abs(bias[channel]);
    factors[channel] = Math.sqrt(Math.max(reach, SMALLEST) / largest[channel]);
    gain[channel] /= factors[channel];
    bias[channel] /= factors[channel];
  }
  const scaled = linears.map(({ name, inputs, outputs, bias: own }, i): Linear => {
    const weights = new Float32Array(read[i]);
    for (let row = 0; row < weights.length; row += channels) {
      for (let channel = 0; channel < channels; channel++) weights[row + channel] *= factors[channel];
    }
    return { name, weights, inputs, outputs, bias: own };
  });
  return { norm: { ...norm, gain, bias }, linears: scaled, factors };
}
