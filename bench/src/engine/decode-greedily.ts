import { type CompiledModel, type LogitsRule, type ModelFolder, suppress, suppressAtBegin } from "@scribe/speech/parts";

const MOST_TOKENS = 224;

/** A window's prompt: without timestamps it says so. */
export function promptOf({ special }: ModelFolder, timed: boolean): number[] {
  return [special.startOfTranscript, ...(timed ? [] : [special.noTimestamps])];
}

export type Encoded = Awaited<ReturnType<CompiledModel["encode"]>>;

/** A window's most probable tokens, and how far the second best logit was below each, the end's included; `timing`: rules of timestamps, if any. */
export async function decodeGreedily(
  model: ModelFolder,
  network: CompiledModel,
  audio: Encoded,
  timing: readonly LogitsRule[],
): Promise<{ tokens: number[]; gaps: number[] }> {
  const { special } = model;
  const rules = [suppressAtBegin(model.beginSuppressTokens), suppress(model.suppressTokens), ...timing];
  const prompt = promptOf(model, timing.length > 0);
  const { state, logits: first } = await network.prefill(audio, [0], [prompt], [prompt.length - 1]);
  const tokens: number[] = [];
  const gaps: number[] = [];
  let logits = first;
  while (tokens.length < MOST_TOKENS) {
    for (const rule of rules) rule(logits, tokens);
    const { best, gap } = twoBest(logits);
    gaps.push(gap);
    if (best === special.endOfText) break;
    tokens.push(best);
    logits = await network.step(state, [best]);
  }
  state.release();
  return { tokens, gaps };
}

function twoBest(logits: Float32Array): { best: number; gap: number } {
  let [best, second] = [0, Number.NEGATIVE_INFINITY];
  for (let i = 1; i < logits.length; i++) {
    if (logits[i]! > logits[best]!) {
      second = logits[best]!;
      best = i;
    } else if (logits[i]! > second) second = logits[i]!;
  }
  return { best, gap: logits[best]! - second };
}
