import { decodeWindow, type Hearing, type WindowContext } from "./decode-attempt.ts";
import type { DecodedWindow } from "./decode-window.ts";
import { needsFallback, repeatsItself } from "./decode-with-fallback.ts";
import type { EncodedWindow } from "./window-decoder.ts";

/** By so much a text must be more probable without what was said before (mean log probability) to stand in its place. */
const MARGIN = 0.2;
/** A text with less than this share of what is heard without it has left something out. */
const LEAST_SHARE = 0.8;

/**
 * Decodes a window that follows others, with what was said before and without it, side by side. Where the former goes
 * round in circles, is much less probable, or lacks a fifth of the text, what was said before does harm and is left out;
 * Whisper's published code then only draws at higher temperatures, still with it. `previous` is what the text that stands
 * was conditioned on. Where there is one temperature, or the guard is off, nothing is left out.
 */
export async function decodeInContext(
  hearing: Hearing,
  window: EncodedWindow,
  context: WindowContext,
  signal: AbortSignal,
): Promise<{ decoded: DecodedWindow; previous: readonly number[] }> {
  const { plan, options } = hearing;
  const { previous } = context;
  const [lowest, ...higher] = plan.temperatures;
  const isSaid = previous.length > 0 && previous !== plan.promptTokens;
  if (!options.guards.context || higher.length === 0 || !isSaid) {
    return { decoded: await decodeWindow(hearing, window, context, signal), previous };
  }
  const [within, without] = await Promise.all(
    [previous, plan.promptTokens].map(async (previous) => ({
      decoded: await decodeWindow(hearing, window, { ...context, previous }, signal, { temperatures: [lowest] }),
      previous,
    })),
  );
  const heard = doesHarm(hearing, within.decoded, without.decoded) ? without : within;
  if (!needsFallback(heard.decoded, plan.thresholds)) return heard;
  const decoded = await decodeWindow(hearing, window, { ...context, previous: heard.previous }, signal, {
    known: heard.decoded,
  });
  return { decoded, previous: heard.previous };
}

function doesHarm({ plan, model }: Hearing, within: DecodedWindow, without: DecodedWindow): boolean {
  const repeats = repeatsItself(within, plan.thresholds);
  if (repeats !== repeatsItself(without, plan.thresholds)) return repeats;
  const length = ({ tokens }: DecodedWindow) => tokens.filter((token) => token < model.special.endOfText).length;
  return length(within) < LEAST_SHARE * length(without) || without.avgLogprob > within.avgLogprob + MARGIN;
}
