import type { SpecialTokens } from "../model/special-tokens.ts";
import { SpeechError } from "../speech-error.ts";
import { logSumExp } from "./log-softmax.ts";
import type { EncodedWindow, WindowDecoder } from "./window-decoder.ts";

export type LanguageGuess = { language: string; probability: number };

/** Probabilities of the languages, in the order of `languages`, by the logits `[vocabulary]` after `<|startoftranscript|>`. */
export function languageProbabilities(logits: Float32Array, languages: ReadonlyMap<string, number>): Float64Array {
  const chosen = Float32Array.from(languages.values(), (id) => logits[id]);
  const total = logSumExp(chosen);
  return Float64Array.from(chosen, (value) => Math.exp(value - total));
}

/**
 * The language that several windows agree on: the mean of their probabilities, each counted by its `weight` (how much
 * speech it holds). Windows that say nothing (NaN) do not count.
 */
export function voteLanguage(
  votes: readonly { probabilities: Float64Array; weight: number }[],
  languages: ReadonlyMap<string, number>,
): LanguageGuess {
  const codes = [...languages.keys()];
  const valid = votes.filter(({ probabilities }) => probabilities.every((value) => Number.isFinite(value)));
  const weights = valid.reduce((sum, { weight }) => sum + weight, 0);
  const means = codes.map((_, i) =>
    weights > 0 ? valid.reduce((sum, { probabilities, weight }) => sum + probabilities[i] * weight, 0) / weights : 0,
  );
  const probability = Math.max(...means);
  return { language: codes[means.indexOf(probability)], probability };
}

/** Detects the language spoken in an encoded window: its probabilities. */
export async function detectLanguage(
  decoder: WindowDecoder,
  special: SpecialTokens,
  window: EncodedWindow,
  signal: AbortSignal,
): Promise<Float64Array> {
  const logits = await decoder.logitsAfter(window, [special.startOfTranscript], signal);
  return languageProbabilities(logits, special.languages);
}

/** Codes that callers use for languages that the vocabulary names otherwise. */
const OTHER_NAMES: Readonly<Record<string, string>> = { jv: "jw", iw: "he", in: "id", ji: "yi", nb: "no", fil: "tl" };

/**
 * The model's own code of a language asked for; undefined for `auto` and none. Throws `language_unsupported` where the
 * model has no such language.
 */
export function requestedLanguage(
  code: string | undefined,
  special: Pick<SpecialTokens, "languages">,
): string | undefined {
  if (code === undefined || code === "auto") return undefined;
  const asked = code.toLowerCase();
  const known = special.languages.size > 0 ? [...special.languages.keys()] : ["en"];
  const found = [asked, OTHER_NAMES[asked]].find((name) => name !== undefined && known.includes(name));
  if (found) return found;
  throw new SpeechError("language_unsupported", `the model has no language ${JSON.stringify(code.slice(0, 16))}`);
}
