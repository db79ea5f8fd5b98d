import { logSumExp } from "./log-softmax.ts";

/**
 * A rule of decoding: sets logits `[vocabulary]` of what may not follow to −∞, in place. `sampled` are the tokens of the
 * window so far, without the prompt. Rules are applied in order.
 */
export type LogitsRule = (logits: Float32Array, sampled: readonly number[]) => void;

/** Never these tokens. Ids outside the vocabulary are ignored. */
export function suppress(tokens: readonly number[]): LogitsRule {
  return (logits) => forbid(logits, tokens);
}

/** Not these tokens as a window's first. */
export function suppressAtBegin(tokens: readonly number[]): LogitsRule {
  return (logits, sampled) => {
    if (sampled.length === 0) forbid(logits, tokens);
  };
}

export type TimestampRuleSettings = {
  endOfText: number;
  noTimestamps: number;
  firstTimestamp: number;
  timestampCount: number;
  /** A window's first timestamp is at most this many steps in; undefined: anywhere. */
  maximumInitialIndex?: number | undefined;
  /** Whose rules: transformers.js lets a window begin with text, and timestamps fall. For comparing with it only. */
  ruleSet?: "reference" | "transformers.js";
};

/**
 * The timestamp rules of Whisper's reference decoder: text stands between pairs of timestamps that never fall, a window
 * begins with one, and one is forced wherever all timestamps together are more probable than the best text token.
 */
export function timestampRules(settings: TimestampRuleSettings): LogitsRule {
  const { endOfText, noTimestamps, firstTimestamp, timestampCount, maximumInitialIndex } = settings;
  const isReference = settings.ruleSet !== "transformers.js";
  const isTimestamp = (token: number | undefined) => token !== undefined && token >= firstTimestamp;
  return (logits, sampled) => {
    const never = Number.NEGATIVE_INFINITY;
    logits[noTimestamps] = never;
    // A vocabulary padded beyond its last timestamp has ids that mean nothing.
    logits.fill(never, firstTimestamp + timestampCount);

    const last = isTimestamp(sampled.at(-1));
    const lastButOne = sampled.length < 2 || isTimestamp(sampled.at(-2));
    if (last && lastButOne) logits.fill(never, firstTimestamp);
    else if (last) logits.fill(never, 0, endOfText);

    const latest = sampled.findLast(isTimestamp);
    if (latest !== undefined && isReference) {
      // A segment's end may not be its start; the next one's start may be the last one's end.
      logits.fill(never, firstTimestamp, last && !lastButOne ? latest : latest + 1);
    }
    if (sampled.length === 0 && isReference) {
      logits.fill(never, 0, firstTimestamp);
      if (maximumInitialIndex !== undefined) logits.fill(never, firstTimestamp + maximumInitialIndex + 1);
    }
    const timestamps = logSumExp(logits, firstTimestamp);
    let bestText = never;
    for (let i = 0; i < firstTimestamp; i++) if (logits[i] > bestText) bestText = logits[i];
    if (timestamps > bestText) logits.fill(never, 0, firstTimestamp);
  };
}

function forbid(logits: Float32Array, tokens: readonly number[]) {
  for (const token of tokens) if (token < logits.length) logits[token] = Number.NEGATIVE_INFINITY;
}
