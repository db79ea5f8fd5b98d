import { describe, expect, test } from "@jest/globals";
import type { DecoderBatch, DecoderRow } from "../src/sessions/decoder-batch.ts";
import { extendBeams, rankTexts, searchBeams, topTokens } from "../src/whisper/beam-search.ts";
import { chooseBest } from "../src/whisper/choose-token.ts";
import { logSumExp } from "../src/whisper/log-softmax.ts";

const END = 0;
const VOCABULARY = 6;

/** A model whose next token's logits are a function of the text so far. */
function scripted(logitsOf: (tokens: readonly number[]) => number[]) {
  const texts: number[][] = [];
  const rows: (DecoderRow & { slot: number })[] = [];
  const batch: DecoderBatch = {
    rows,
    async join(joining) {
      return joining.map(() => {
        const row = { slot: rows.length, last: 0, done: false };
        rows.push(row);
        texts.push([]);
        return { row, logits: Float32Array.from([...Array(VOCABULARY).fill(0), ...logitsOf([])]) };
      });
    },
    begin() {},
    async step() {
      for (const { slot, last } of rows) texts[slot].push(last);
      return Float32Array.from(texts.flatMap((text) => logitsOf(text)));
    },
    leave(row) {
      rows.splice(rows.indexOf(row as never), 1);
    },
    reorder(from) {
      const before = texts.map((text) => [...text]);
      for (const [slot, source] of from.entries()) texts[slot] = [...before[source]];
    },
  };
  return batch;
}

const search = (logitsOf: (tokens: readonly number[]) => number[], beams: number, patience = 1, maximumTokens = 4) =>
  searchBeams(
    scripted(logitsOf),
    { audio: { batch: 1, release() {} }, row: 0, release() {} },
    { prompt: [1], startPosition: 0, rules: [], choose: () => chooseBest, maximumTokens, endOfText: END, noSpeech: 1 },
    { beams, patience, lengthPenalty: null },
    async () => {},
  );

/** All texts with their scores, by trying each. */
function exhaustive(logitsOf: (tokens: readonly number[]) => number[], maximum: number) {
  const best = { tokens: [] as number[], score: Number.NEGATIVE_INFINITY };
  const walk = (tokens: number[], sum: number) => {
    const logits = Float32Array.from(logitsOf(tokens));
    const total = logSumExp(logits);
    for (let token = 0; token < VOCABULARY; token++) {
      const next = sum + logits[token] - total;
      const ended = token === END;
      const text = ended ? tokens : [...tokens, token];
      if (ended || text.length === maximum) {
        const score = next / Math.max(1, text.length);
        if (score > best.score) Object.assign(best, { tokens: text, score });
      } else walk(text, next);
    }
  };
  walk([], 0);
  return best.tokens;
}

describe("beam search", () => {
  const tree = (tokens: readonly number[]) =>
    Array.from({ length: VOCABULARY }, (_, token) => {
      const seed = tokens.reduce((sum, value, i) => sum + (i + 1) * value, 3 * tokens.length) * 7 + token * 13;
      return ((seed * 2654435761) % 1000) / 250 - (token === END && tokens.length < 2 ? 50 : 0);
    });

  test("that is wide enough finds what trying every text finds", async () => {
    expect((await search(tree, 216, 8, 3)).tokens).toEqual(exhaustive(tree, 3));
  });

  test("finds the text behind a first token that looks worse", async () => {
    // 1 looks better than 2, but leads nowhere good.
    const garden = (tokens: readonly number[]) => {
      if (tokens.length === 0) return [-50, 1, 0.9, -50, -50, -50];
      if (tokens.length === 1) return tokens[0] === 1 ? [-50, 0, 0, 0, 0, 0] : [-50, -50, -50, 9, -50, -50];
      return [9, -50, -50, -50, -50, -50];
    };
    expect((await search(garden, 1)).tokens[0]).toBe(1);
    const found = await search(garden, 3);
    expect(found.tokens).toEqual([2, 3]);
    expect(found.noSpeechProbability).toBeCloseTo(1 / VOCABULARY, 6);
  });

  test("gives what was cut off where nothing ends", async () => {
    const endless = () => [-50, 1, 2, 0, 0, 0];
    expect((await search(endless, 2)).tokens).toEqual([2, 2, 2, 2]);
  });

  test("with patience waits for more texts to end", async () => {
    const steps: number[] = [];
    const ending = (tokens: readonly number[]) => {
      steps.push(tokens.length);
      return tokens.length === 0 ? [-50, 1, 0, -50, -50, -50] : [2, 1, 0, -50, -50, -50];
    };
    await search(ending, 2, 1);
    const short = Math.max(...steps);
    await search(ending, 2, 2);
    expect(Math.max(...steps)).toBeGreaterThan(short);
  });

  test("ranks by length, or by the length penalty", () => {
    const texts = [
      { tokens: [1], sumLogprob: -1 },
      { tokens: [1, 2, 3, 4], sumLogprob: -2 },
    ];
    expect(rankTexts(texts, null)).toBe(1);
    expect(rankTexts(texts, 0)).toBe(0);
    expect(rankTexts([texts[0]], 1)).toBe(0);
  });

  test("looks at finite logits only", () => {
    const never = Number.NEGATIVE_INFINITY;
    expect(topTokens(Float32Array.of(1, never, 3, 2, Number.NaN), 9)).toEqual([2, 3, 0]);
    const { going, ended } = extendBeams([{ tokens: [], sumLogprob: 0 }], [Float32Array.of(5, never, 3, 2)], 1, 0);
    expect(ended.map(({ token }) => token)).toEqual([0]);
    expect(going.map(({ token }) => token)).toEqual([2]);
  });
});
