import type { DecodedWindow } from "./decode-window.ts";

export type FallbackThresholds = {
  /** Text that compresses better than this repeats itself. */
  compressionRatio: number | null;
  /** Text less probable than this (mean log probability) is in doubt. */
  logprob: number | null;
  /** Doubtful text in a window that is as probably silent as this stays: it will be dropped. */
  noSpeech: number | null;
};

type Figures = Pick<DecodedWindow, "avgLogprob" | "compressionRatio" | "noSpeechProbability" | "looped">;

/** Whether a window's text fails its thresholds, so that a higher temperature should be tried. */
export function needsFallback(decoded: Figures, thresholds: FallbackThresholds): boolean {
  const { logprob } = thresholds;
  if (isSilence(decoded, thresholds)) return false;
  return repeatsItself(decoded, thresholds) || (logprob !== null && decoded.avgLogprob < logprob);
}

/** Whether a text was ended for going round in circles, or compresses as one that does. */
export function repeatsItself(decoded: Figures, { compressionRatio }: FallbackThresholds): boolean {
  return decoded.looped === true || (compressionRatio !== null && decoded.compressionRatio > compressionRatio);
}

/** Whether a window is taken for silent: no speech is probable, and its text is not. */
export function isSilence(decoded: Figures, { noSpeech, logprob }: FallbackThresholds): boolean {
  if (noSpeech === null || !(decoded.noSpeechProbability > noSpeech)) return false;
  return logprob === null || decoded.avgLogprob <= logprob;
}

/**
 * Decodes at each temperature in turn until one passes the thresholds. Where none does, the text of the lowest
 * temperature that does not repeat itself stands (or of the lowest), not that of the highest as in Whisper's published code:
 * a model that doubts all of its texts would else always be heard at its most random.
 */
export async function decodeWithFallback(
  decodeAt: (temperature: number) => Promise<DecodedWindow>,
  temperatures: readonly number[],
  thresholds: FallbackThresholds,
): Promise<DecodedWindow> {
  const failed: DecodedWindow[] = [];
  for (const temperature of temperatures) {
    const decoded = await decodeAt(temperature);
    if (!needsFallback(decoded, thresholds)) return decoded;
    failed.push(decoded);
  }
  return failed.find((decoded) => !repeatsItself(decoded, thresholds)) ?? failed[0];
}
