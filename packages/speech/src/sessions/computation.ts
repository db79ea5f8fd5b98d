import { SpeechError } from "../speech-error.ts";

/** What operators may ask for. */
export type PrecisionChoice = "auto" | "fp32" | "fp16" | "int8" | "int4";

/** How a model is computed, as a text's reader may have to know: with another one, other words may come. */
export type Computation = {
  /** onnxruntime's name of the provider that really runs. */
  provider: string;
  precision: Exclude<PrecisionChoice, "auto">;
  /** Graphs of our own from the original weights, or the hub's export as it is. */
  graphs: "compiled" | "export";
};

/** A provider that failed, and the one that runs instead; `when`: as a model was opened, or in the middle of its work. */
export type ProviderFallback = { from: string; to: string; when: "start" | "run"; reason: string };

const SLOW_HALVES = "processors compute in 16 bit no faster than in 32";
const FOUR_BITS = "4 bit weights do not keep the text";
const PROCESSOR_ONLY = "8 and 4 bit graphs are written for the processor";

/** Why a precision cannot be run on a provider; empty: it can. */
const REFUSALS: Readonly<Record<string, Readonly<Record<Computation["precision"], string>>>> = {
  cpu: { fp32: "", fp16: SLOW_HALVES, int8: "", int4: FOUR_BITS },
  cuda: { fp32: "", fp16: "", int8: PROCESSOR_ONLY, int4: PROCESSOR_ONLY },
  webgpu: { fp32: "", fp16: "", int8: PROCESSOR_ONLY, int4: PROCESSOR_ONLY },
};

/**
 * The precision to be run on a provider; `auto` is the one that keeps the reference's text. Throws `invalid_option`,
 * saying why, for a pair that cannot be.
 */
export function choosePrecision(provider: string, asked: PrecisionChoice): Computation["precision"] {
  const precision = asked === "auto" ? "fp32" : asked;
  const refusal = REFUSALS[provider]?.[precision];
  if (!refusal) return precision;
  throw new SpeechError("invalid_option", `${precision} cannot be run on ${provider}: ${refusal}`);
}

/** One line that tells computations apart. */
export function nameOfComputation({ provider, precision, graphs }: Computation): string {
  return `${provider}/${precision}/${graphs}`;
}
