import type { SpecialTokens } from "../model/special-tokens.ts";
import type { EncodedAudio, WhisperModel } from "../sessions/whisper-model.ts";
import { SpeechError } from "../speech-error.ts";
import { logSumExp } from "./log-softmax.ts";

export type LanguageGuess = { language: string; probability: number };

/** The most probable language by the logits `[vocabulary]` after `<|startoftranscript|>`, among the languages alone. */
export function chooseLanguage(logits: Float32Array, languages: ReadonlyMap<string, number>): LanguageGuess {
  const codes = [...languages.keys()];
  const chosen = Float32Array.from(languages.values(), (id) => logits[id]);
  const total = logSumExp(chosen);
  let best = 0;
  for (let i = 1; i < chosen.length; i++) if (chosen[i] > chosen[best]) best = i;
  const probability = Math.exp(chosen[best] - total);
  return { language: codes[best], probability: Number.isFinite(probability) ? probability : 0 };
}

/** Detects the language spoken in one row of encoded audio. */
export async function detectLanguage(
  model: WhisperModel,
  special: SpecialTokens,
  audio: EncodedAudio,
  row: number,
): Promise<LanguageGuess> {
  const { state, logits } = await model.prefill(audio, [row], [[special.startOfTranscript]], [0]);
  state.release();
  return chooseLanguage(logits, special.languages);
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
