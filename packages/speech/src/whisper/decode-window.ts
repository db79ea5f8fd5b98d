import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { compressionRatio } from "./compression-ratio.ts";
import type { RawText } from "./window-decoder.ts";

/** What one window was decoded to. */
export type DecodedWindow = {
  /** Text and timestamps, without prompt and end. */
  tokens: number[];
  text: string;
  /** Mean log probability of the tokens, the end's included. */
  avgLogprob: number;
  noSpeechProbability: number;
  compressionRatio: number;
  temperature: number;
  /** Whether it was ended for going round in circles. */
  looped?: boolean;
};

/** A window's text with the figures that it is judged by. */
export function judgeText(tokenizer: Tokenizer, raw: RawText, temperature: number): DecodedWindow {
  const { tokens, sumLogprob, noSpeechProbability, looped } = raw;
  const text = tokenizer.decode(tokens).trim();
  return {
    tokens,
    text,
    avgLogprob: sumLogprob / (tokens.length + 1),
    noSpeechProbability,
    compressionRatio: compressionRatio(text),
    temperature,
    ...(looped && { looped }),
  };
}
