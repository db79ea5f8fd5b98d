import { decodeWindow, type Hearing, type WindowContext } from "./decode-attempt.ts";
import type { DecodedWindow } from "./decode-window.ts";
import { needsFallback, repeatsItself } from "./decode-with-fallback.ts";
import { findLoop } from "./guards.ts";
import type { EncodedWindow } from "./window-decoder.ts";

/** By so much a text must be more probable without what was said before (mean log probability) to stand in its place. */
const MARGIN = 0.2;
/** A text with less than this share of what is heard without it has left something out. */
const LEAST_SHARE = 0.8;
/** Above this temperature a text is too free to be the next window's context. */
const TEMPERATURE_LIMIT = 0.5;

/**
 * Decodes a window that follows others, with what was said before and without it, side by side. Where the former goes
 * round in circles, is much less probable, or lacks a fifth of the text, what was said before does harm and is left out;
 * Whisper's published code then only draws at higher temperatures, still with it. `previous` is what the text that stands
 * was conditioned on. Where the request has one temperature, or the guard is off, nothing is left out.
 */
export async function decodeInContext(
  hearing: Hearing,
  window: EncodedWindow,
  context: WindowContext,
  signal: AbortSignal,
  temperatures = hearing.plan.temperatures,
): Promise<{ decoded: DecodedWindow; previous: readonly number[] }> {
  const { plan, options } = hearing;
  const { previous } = context;
  const isSaid = previous.length > 0 && previous !== plan.promptTokens;
  if (!options.guards.context || plan.temperatures.length === 1 || !isSaid) {
    return { decoded: await decodeWindow(hearing, window, context, signal, { temperatures }), previous };
  }
  const [within, without] = await Promise.all(
    [previous, plan.promptTokens].map(async (previous) => ({
      decoded: await decodeWindow(hearing, window, { ...context, previous }, signal, {
        temperatures: temperatures.slice(0, 1),
      }),
      previous,
    })),
  );
  const heard = doesHarm(hearing, within.decoded, without.decoded) ? without : within;
  if (temperatures.length === 1 || !needsFallback(heard.decoded, plan.thresholds)) return heard;
  const decoded = await decodeWindow(hearing, window, { ...context, previous: heard.previous }, signal, {
    temperatures,
    known: heard.decoded,
  });
  return { decoded, previous: heard.previous };
}

function doesHarm({ plan, model }: Hearing, within: DecodedWindow, without: DecodedWindow): boolean {
  // What goes round says no more than its first round; less than that is left out by any text.
  const length = ({ tokens }: DecodedWindow) =>
    tokens.slice(0, findLoop(tokens)).filter((token) => token < model.special.endOfText).length;
  if (length(within) < LEAST_SHARE * length(without)) return true;
  const repeats = repeatsItself(within, plan.thresholds);
  if (repeats !== repeatsItself(without, plan.thresholds)) return repeats;
  return without.avgLogprob > within.avgLogprob + MARGIN;
}

/** The context of the next window: that of this one and its own text, as much as fits; nothing where that is too free. */
export function contextAfter(
  { plan, options }: Hearing,
  previous: readonly number[],
  segments: readonly { tokens: readonly number[] }[],
  temperature: number,
): readonly number[] {
  if (!options.condition_on_previous_text || temperature > TEMPERATURE_LIMIT) return [];
  return [...previous, ...segments.flatMap(({ tokens }) => tokens)].slice(-plan.maximumPrevious);
}
