import { type GraphBuilder, MICROSOFT } from "./graph-builder.ts";
import type { Norm } from "./network-weights.ts";
import { bytes, type Linear, type Projected, type Projections, withProperties } from "./projection.ts";

/** The least that GELU gives (at −0.75), rounded away from zero. */
const LEAST_OF_GELU = -0.17;

const NORM_EPSILON = 1e-5;

function normWeights(g: GraphBuilder, { name, gain, bias }: Norm): [string, string] {
  return [
    g.weight(`${name}.gain`, "float32", [gain.length], () => bytes(gain)),
    g.weight(`${name}.shift`, "float32", [bias.length], () => bytes(bias)),
  ];
}

/** LayerNorm of `x`. */
export function normalize(g: GraphBuilder, x: string, norm: Norm): string {
  const attributes = { axis: { int: -1 }, epsilon: NORM_EPSILON };
  return g.op("LayerNormalization", [x, ...normWeights(g, norm)], { attributes });
}

/** Adds a block's result to the residual stream: the new stream, and its LayerNorm for the next block. */
export function addAndNormalize(
  g: GraphBuilder,
  result: Projected,
  stream: string,
  norm: Norm,
): { normed: string; stream: string } {
  const name = g.unused(`${norm.name}.sum`);
  const outputs = [`${name}.normed`, "", "", name];
  g.ops("SkipLayerNormalization", [result.value, stream, ...normWeights(g, norm), result.bias], 4, {
    domain: MICROSOFT,
    attributes: { epsilon: NORM_EPSILON },
    outputs,
  });
  return { normed: outputs[0], stream: name };
}

/** The two linear layers of a block with the exact (erf) GELU between them. */
export function feedForward(g: GraphBuilder, multiply: Projections, x: string, up: Linear, down: Linear): Projected {
  const { value, bias } = multiply.multiply(x, up);
  const active = bias
    ? g.op("BiasGelu", [value, bias], { domain: MICROSOFT })
    : g.op("Gelu", [value], { domain: MICROSOFT });
  return multiply.multiply(active, withProperties(down, { lowest: LEAST_OF_GELU }));
}
