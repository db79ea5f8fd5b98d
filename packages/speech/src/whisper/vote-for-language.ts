import type { FeatureSource } from "../features/feature-source.ts";
import { speechBetween } from "../vad/find-speech.ts";
import type { Hearing } from "./decode-attempt.ts";
import { detectLanguage, type LanguageGuess, voteLanguage } from "./detect-language.ts";
import type { SpeechWindow } from "./find-windows.ts";

/** So many windows are asked for their language, spread over the file. */
const LANGUAGE_VOTES = 5;

/** The language that the windows with most speech, spread over the file, agree on. */
export async function voteForLanguage(
  { model, decoder }: Hearing,
  source: FeatureSource,
  windows: readonly SpeechWindow[],
  signal: AbortSignal,
): Promise<LanguageGuess> {
  const { special, features } = model;
  const count = Math.min(LANGUAGE_VOTES, windows.length);
  const speech = ({ start, end, spans }: SpeechWindow) =>
    speechBetween(spans, start * features.hopSize, end * features.hopSize);
  const votes = Array.from({ length: count }, async (_, i) => {
    const part = windows.slice(
      Math.floor((i * windows.length) / count),
      Math.floor(((i + 1) * windows.length) / count),
    );
    const fullest = part.reduce((best, window) => (speech(window) > speech(best) ? window : best));
    const encoded = await decoder.encode(() => source.window(fullest.start, fullest.end - fullest.start), signal);
    try {
      return { probabilities: await detectLanguage(decoder, special, encoded, signal), weight: speech(fullest) };
    } finally {
      encoded.release();
    }
  });
  return voteLanguage(await Promise.all(votes), special.languages);
}
