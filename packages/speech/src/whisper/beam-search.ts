import type { DecoderBatch } from "../sessions/decoder-batch.ts";
import { logSumExp } from "./log-softmax.ts";
import type { BeamSettings, DecodeRequest, EncodedWindow, RawText } from "./window-decoder.ts";

export type Hypothesis = { tokens: number[]; sumLogprob: number };

/** One more token for the text `beam`; `sumLogprob` is that of the text with it. */
export type Candidate = { beam: number; token: number; sumLogprob: number };

/**
 * The best continuations of texts by their log probabilities `[vocabulary]` each: `count` that go on, and all better ones
 * that end. As in Whisper's published beam search: of each text the `count + 1` best tokens are looked at.
 */
export function extendBeams(
  beams: readonly Hypothesis[],
  logits: readonly Float32Array[],
  count: number,
  endOfText: number,
): { going: Candidate[]; ended: Candidate[] } {
  const candidates = beams.flatMap(({ sumLogprob }, beam) => {
    const total = logSumExp(logits[beam]);
    return topTokens(logits[beam], count + 1).map((token) => ({
      beam,
      token,
      sumLogprob: sumLogprob + logits[beam][token] - total,
    }));
  });
  candidates.sort((a, b) => b.sumLogprob - a.sumLogprob || a.beam - b.beam || a.token - b.token);
  const going: Candidate[] = [];
  const ended: Candidate[] = [];
  for (const candidate of candidates) {
    if (going.length === count) break;
    if (candidate.token === endOfText) ended.push(candidate);
    else going.push(candidate);
  }
  return { going, ended };
}

/** Index of the best text: by its log probability over its length, or over the length penalty of Wu et al. 2016. */
export function rankTexts(texts: readonly Hypothesis[], lengthPenalty: number | null): number {
  const score = ({ tokens, sumLogprob }: Hypothesis) => {
    const length = Math.max(1, tokens.length);
    return sumLogprob / (lengthPenalty === null ? length : ((5 + length) / 6) ** lengthPenalty);
  };
  const scores = texts.map(score);
  return scores.indexOf(Math.max(...scores));
}

/** Tokens of the `count` greatest finite logits, the greatest first. */
export function topTokens(logits: Float32Array, count: number): number[] {
  const top: number[] = [];
  for (let token = 0; token < logits.length; token++) {
    if (!(logits[token] > Number.NEGATIVE_INFINITY)) continue;
    if (top.length === count && logits[token] <= logits[top[count - 1]]) continue;
    let place = top.length < count ? top.length : count - 1;
    while (place > 0 && logits[top[place - 1]] < logits[token]) {
      top[place] = top[place - 1];
      place--;
    }
    top[place] = token;
  }
  return top;
}

/**
 * Beam search over one window, in a batch of its own. Ends when `beams × patience` texts have ended, or at the maximum of
 * tokens; `between` is awaited between runs, and may throw.
 */
export async function searchBeams(
  batch: DecoderBatch,
  window: EncodedWindow,
  request: DecodeRequest,
  { beams: count, patience, lengthPenalty }: BeamSettings,
  between: () => Promise<void>,
): Promise<RawText> {
  const { prompt, startPosition, rules, endOfText, maximumTokens, noSpeech } = request;
  const joining = { audio: window.audio, row: window.row, prompt, logitsAt: [startPosition, prompt.length - 1] };
  const suppress = new Float32Array(0);
  const joined = await batch.join(Array.from({ length: count }, () => ({ ...joining, timed: false, suppress })));
  const vocabulary = joined[0].logits.length / 2;
  const atStart = joined[0].logits.subarray(0, vocabulary);
  const noSpeechProbability = noSpeech === undefined ? 0 : Math.exp(atStart[noSpeech] - logSumExp(atStart));

  const wanted = Math.max(1, Math.round(count * patience));
  const finished: Hypothesis[] = [];
  // All begin alike: only the first may go on at first.
  let beams: Hypothesis[] = [{ tokens: [], sumLogprob: 0 }];
  let logits = [joined[0].logits.subarray(vocabulary)];
  for (;;) {
    for (const [i, { tokens }] of beams.entries()) for (const rule of rules) rule(logits[i], tokens);
    const { going, ended } = extendBeams(beams, logits, count, endOfText);
    for (const { beam, sumLogprob } of ended) {
      if (finished.length < wanted) finished.push({ tokens: beams[beam].tokens, sumLogprob });
    }
    const before = beams;
    beams = going.map(({ beam, token, sumLogprob }) => ({ tokens: [...before[beam].tokens, token], sumLogprob }));
    if (finished.length >= wanted || beams.length === 0 || beams[0].tokens.length >= maximumTokens) break;
    await between();
    // Where fewer go on than there are rows, the others repeat the first.
    batch.reorder(batch.rows.map((_, i) => (going[i] ?? going[0]).beam));
    for (const row of batch.rows) row.last = (beams[row.slot] ?? beams[0]).tokens.at(-1) ?? endOfText;
    const all = await batch.step();
    logits = beams.map((_, slot) => all.subarray(slot * vocabulary, (slot + 1) * vocabulary));
  }
  const texts = finished.length > 0 ? [...finished] : [];
  // Too few have ended: the best of those that were cut off stand beside them, as in the reference.
  for (const beam of beams) if (texts.length < wanted) texts.push(beam);
  const best = texts[rankTexts(texts, lengthPenalty)];
  return { ...best, noSpeechProbability, looped: false };
}
