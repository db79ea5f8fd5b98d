import type { EncodedAudio, WhisperModel } from "../sessions/whisper-model.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ChooseToken } from "./choose-token.ts";
import { compressionRatio } from "./compression-ratio.ts";
import { logSumExp } from "./log-softmax.ts";
import type { LogitsRule } from "./logits-rules.ts";

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
};

export type DecodeRequest = {
  prompt: readonly number[];
  /** Where in the prompt `<|startoftranscript|>` stands. */
  startPosition: number;
  rules: readonly LogitsRule[];
  choose: ChooseToken;
  temperature: number;
  maximumTokens: number;
  endOfText: number;
  noSpeech?: number | undefined;
};

/**
 * Decodes one row of encoded audio, token by token, until the end of text or `maximumTokens`. The probability of no
 * speech is that of its token right after `<|startoftranscript|>`, before any rule. Stops between steps when aborted.
 */
export async function decodeWindow(
  model: WhisperModel,
  tokenizer: Tokenizer,
  audio: EncodedAudio,
  row: number,
  request: DecodeRequest,
  signal: AbortSignal,
): Promise<DecodedWindow> {
  const { prompt, startPosition, rules, choose, endOfText, noSpeech } = request;
  signal.throwIfAborted();
  const first = await model.prefill(audio, [row], [prompt], [startPosition, prompt.length - 1]);
  try {
    const vocabulary = first.logits.length / 2;
    const atStart = first.logits.subarray(0, vocabulary);
    const noSpeechProbability = noSpeech === undefined ? 0 : Math.exp(atStart[noSpeech] - logSumExp(atStart));
    const tokens: number[] = [];
    let sumLogprob = 0;
    let logits = first.logits.subarray(vocabulary);
    for (;;) {
      for (const rule of rules) rule(logits, tokens);
      const token = choose(logits);
      sumLogprob += logits[token] - logSumExp(logits);
      if (token === endOfText) break;
      tokens.push(token);
      if (tokens.length >= request.maximumTokens) break;
      signal.throwIfAborted();
      logits = await model.step(first.state, [token]);
    }
    const text = tokenizer.decode(tokens).trim();
    return {
      tokens,
      text,
      avgLogprob: sumLogprob / (tokens.length + 1),
      noSpeechProbability,
      compressionRatio: compressionRatio(text),
      temperature: request.temperature,
    };
  } finally {
    first.state.release();
  }
}
