import type { Norm } from "./network-weights.ts";
import type { Linear } from "./projection.ts";

/** How many standard deviations of a normalized value count as its reach. */
const REACH = 3;
const SMALLEST = 1e-6;

/**
 * Moves scale between a LayerNorm and the matrices that it feeds, channel by channel, so that neither activations nor
 * weights have channels much larger than the rest: the same function, better in 8 bit. A channel's reach is known from
 * gain and bias alone, because what LayerNorm scales has variance 1. (Xiao et al. 2022, SmoothQuant, at α = 0.5, with
 * that reach in place of measured activations.)
 */
export function equalizeInputs<L extends Linear>(norm: Norm, linears: readonly L[]): { norm: Norm; linears: L[] } {
  const channels = norm.gain.length;
  const gain = Float32Array.from(norm.gain);
  const bias = Float32Array.from(norm.bias);
  const factors = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const reach = REACH * Math.abs(gain[channel]) + Math.abs(bias[channel]);
    let weight = 0;
    for (const { weights, inputs, outputs } of linears) {
      for (let o = 0; o < outputs; o++) weight = Math.max(weight, Math.abs(weights[o * inputs + channel]));
    }
    const factor = Math.sqrt(Math.max(reach, SMALLEST) / Math.max(weight, SMALLEST));
    factors[channel] = factor;
    gain[channel] /= factor;
    bias[channel] /= factor;
  }
  const scaled = linears.map((linear) => {
    const weights = Float32Array.from(linear.weights, (weight, i) => weight * factors[i % linear.inputs]);
    return { ...linear, weights };
  });
  return { norm: { ...norm, gain, bias }, linears: scaled };
}
