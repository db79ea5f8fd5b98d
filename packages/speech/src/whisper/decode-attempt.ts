import type { ModelFolder } from "../model/read-model-folder.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import { rankTexts } from "./beam-search.ts";
import { chooseBest, sampleAt } from "./choose-token.ts";
import { type DecodedWindow, judgeText } from "./decode-window.ts";
import { decodeWithFallback } from "./decode-with-fallback.ts";
import { findLoop } from "./guards.ts";
import { randomFrom } from "./random.ts";
import type { TranscriptionPlan } from "./transcription-plan.ts";
import type { DecodeRequest, EncodedWindow, WindowDecoder } from "./window-decoder.ts";

export type Hearing = {
  model: ModelFolder;
  decoder: WindowDecoder;
  options: ParsedSpeechOptions;
  plan: TranscriptionPlan;
  /** Decides what sampling draws, together with a window's position. */
  seed: string;
};

type Attempts = {
  temperatures?: readonly number[];
  /** What was decoded already, at its temperature. */
  known?: DecodedWindow;
};

export type WindowContext = { position: number; language: string; previous: readonly number[] };

/**
 * Decodes an encoded window at each of `temperatures` in turn until its text passes the thresholds; without any that
 * does, the one that stands is chosen by `decodeWithFallback`.
 */
export async function decodeWindow(
  { model, decoder, options, plan, seed }: Hearing,
  window: EncodedWindow,
  { position, language, previous }: WindowContext,
  signal: AbortSignal,
  { temperatures = plan.temperatures, known }: Attempts = {},
): Promise<DecodedWindow> {
  const { special, tokenizer, config } = model;
  const said = [...plan.hotwordTokens, ...previous.slice(-(plan.maximumPrevious - plan.hotwordTokens.length))];
  const before = said.length > 0 ? [special.startOfPrevious, ...said] : [];
  const prompt = [...before, ...startTokens(model, language, options.task), ...plan.prefixTokens];
  const request: Omit<DecodeRequest, "choose"> = {
    prompt,
    startPosition: before.length,
    rules: plan.rules,
    // The last token need not fit the context: nothing follows it.
    maximumTokens: Math.min(plan.maximumTokens, config.max_target_positions + 1 - prompt.length),
    endOfText: special.endOfText,
    noSpeech: special.noSpeech,
    ...(options.guards.loops && { isLoop: (tokens: readonly number[]) => findLoop(tokens) !== undefined }),
  };
  const beam = { beams: options.beam_size, patience: options.patience, lengthPenalty: options.length_penalty };

  const decodeAt = async (temperature: number): Promise<DecodedWindow> => {
    if (temperature === known?.temperature) return known;
    if (temperature === 0) {
      const greedy = { ...request, choose: () => chooseBest, inGraph: plan.inGraph };
      const raw = await (beam.beams > 1
        ? decoder.search(window, greedy, beam, signal)
        : decoder.decode(window, greedy, signal));
      return judgeText(tokenizer, raw, temperature);
    }
    const samples = Array.from({ length: options.best_of }, (_, i) => {
      const drawn = `${seed} ${position} ${temperature}${i > 0 ? ` ${i}` : ""}`;
      return decoder.decode(window, { ...request, choose: () => sampleAt(temperature, randomFrom(drawn)) }, signal);
    });
    const texts = await Promise.all(samples);
    return judgeText(tokenizer, texts[rankTexts(texts, options.length_penalty)], temperature);
  };
  const decoded = await decodeWithFallback(decodeAt, temperatures, plan.thresholds);
  return decoded.looped ? withoutLoop(model, decoded) : decoded;
}

/** A text that no temperature kept from going round in circles, cut behind the first round. */
function withoutLoop({ tokenizer }: ModelFolder, decoded: DecodedWindow): DecodedWindow {
  const tokens = decoded.tokens.slice(0, findLoop(decoded.tokens));
  return { ...decoded, tokens, text: tokenizer.decode(tokens).trim() };
}

/** The tokens that say what a window's text is to be: multilingual models are told language and task. */
export function startTokens(model: ModelFolder, language: string, task: "transcribe" | "translate"): number[] {
  const { startOfTranscript, languages } = model.special;
  const languageToken = languages.get(language);
  const taskToken = model.special[task];
  if (languageToken === undefined || taskToken === undefined) return [startOfTranscript];
  return [startOfTranscript, languageToken, taskToken];
}
