import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { SpeechSegment } from "../src/speech-events.ts";
import { readTokenizer } from "../src/tokenizer/read-tokenizer.ts";
import { randomFrom } from "../src/whisper/random.ts";
import { attachWords } from "../src/whisper/words/attach-words.ts";
import { attentionCost, medianFilter } from "../src/whisper/words/attention-cost.ts";
import type { WordTiming } from "../src/whisper/words/find-alignment.ts";
import { limitDurations, wordLengths } from "../src/whisper/words/limit-durations.ts";
import { mergePunctuation } from "../src/whisper/words/merge-punctuation.ts";
import { splitWords } from "../src/whisper/words/split-words.ts";
import { timeWarp } from "../src/whisper/words/time-warp.ts";

const word = (text: string, start: number, end: number): WordTiming => ({
  word: text,
  tokens: [1],
  start,
  end,
  probability: 0.5,
});
const segment = (start: number, end: number): SpeechSegment => ({
  start,
  end,
  text: "",
  tokens: [],
  avg_logprob: -0.1,
  no_speech_prob: 0,
  compression_ratio: 1,
  temperature: 0,
});

describe("dynamic time warping", () => {
  /** The least cost of a path by trying all of them. */
  function leastCost(cost: number[][], i = 0, j = 0): number {
    const [rows, columns] = [cost.length, cost[0].length];
    if (i === rows - 1 && j === columns - 1) return cost[i][j];
    const next = [
      [i + 1, j],
      [i, j + 1],
      [i + 1, j + 1],
    ].filter(([a, b]) => a < rows && b < columns);
    return cost[i][j] + Math.min(...next.map(([a, b]) => leastCost(cost, a, b)));
  }

  test("finds a path as cheap as any, from corner to corner", () => {
    const random = randomFrom("warp");
    for (let round = 0; round < 20; round++) {
      const [rows, columns] = [1 + Math.floor(random() * 4), 1 + Math.floor(random() * 6)];
      const cost = Array.from({ length: rows }, () => Array.from({ length: columns }, () => random() - 0.5));
      const path = timeWarp(Float32Array.from(cost.flat()), rows, columns);
      const total = path.rows.reduce((sum, row, i) => sum + cost[row][path.columns[i]], 0);
      expect(total).toBeCloseTo(leastCost(cost), 5);
      expect([path.rows[0], path.columns[0]]).toEqual([0, 0]);
      expect([path.rows.at(-1), path.columns.at(-1)]).toEqual([rows - 1, columns - 1]);
    }
  });
});

test("a median filter mirrors the ends, and leaves what is too short", () => {
  expect([...medianFilter(Float32Array.of(9, 1, 2, 8, 3), 3)]).toEqual([1, 2, 2, 3, 8]);
  expect([...medianFilter(Float32Array.of(3, 1, 2), 7)]).toEqual([3, 1, 2]);
});

test("attention is cropped, scaled, standardised and averaged over the heads", () => {
  // Two heads, two tokens, three positions of which two count; a median of one changes nothing.
  const weights = Float32Array.of(0.6, 0.2, 0.2, 0.1, 0.3, 0.6, 0.5, 0.5, 0, 0.5, 0.5, 0);
  const cost = attentionCost(weights, { heads: 2, tokens: 2, positions: 3 }, 2, 1);
  // The first head's columns hold two different values: 1 and −1 after standardising. The second's are equal: 0.
  expect([...cost].map((value) => Math.round(value * 1000) / 1000)).toEqual([-0.5, 0.5, 0.5, -0.5]);
});

describe("words", () => {
  const tokenizer = readTokenizer((name) =>
    readFile(join(import.meta.dirname, "../../../models/whisper-nano.en", name), "utf8").catch(() => undefined),
  );
  const split = async (text: string, language: string) => {
    const loaded = await tokenizer;
    return splitWords(loaded, loaded.encode(text), language).map((part) => part.word);
  };

  test("are split at spaces and before punctuation", async () => {
    expect(await split(" Hello, it's 12 rabbits.", "en")).toEqual([" Hello", ",", " it's", " 12", " rabbits", "."]);
  });

  test("are characters where no spaces are written", async () => {
    expect(await split("日本語", "ja")).toEqual(["日", "本", "語"]);
  });

  test("take opening marks from before and closing marks from behind", () => {
    const words = [word(" (", 0, 1), word("so", 1, 2), word(" it", 2, 3), word(",", 3, 4), word(")", 4, 5)];
    expect(mergePunctuation(words).map(({ word, start, end }) => [word, start, end])).toEqual([
      [" (so", 1, 2],
      [" it,)", 2, 3],
    ]);
    expect(mergePunctuation([])).toEqual([]);
  });

  test("lose what is too long at the end of a sentence", () => {
    const words = [word(" a", 0, 0.2), word(".", 0.2, 3), word(" b", 3, 6), word(" c", 6, 6.2)];
    const lengths = wordLengths(words);
    expect(lengths).toEqual({ median: 0.7, maximum: 1.4 });
    const tenths = (seconds: number) => Math.round(seconds * 10) / 10;
    expect(limitDurations(words, lengths).map(({ start, end }) => [tenths(start), tenths(end)])).toEqual([
      [0, 0.2],
      [0.2, 1.6],
      [4.6, 6],
      [6, 6.2],
    ]);
    expect(wordLengths([])).toEqual({ median: 0, maximum: 0 });
  });

  test("lie inside their segments, rise and never overlap, whatever the alignment said", () => {
    const random = randomFrom("attach");
    for (let round = 0; round < 200; round++) {
      const segments = [segment(1, 2), segment(2, 4.5), segment(5, 9)];
      const words = segments.map(() =>
        Array.from({ length: Math.floor(random() * 5) }, () => {
          const start = random() * 10;
          return word(" w", start, start + random() * 2);
        }),
      );
      const attached = attachWords(segments, words, wordLengths(words.flat()), 0.5);
      let last = 0.5;
      for (const { start, end, words } of attached.segments) {
        expect(start).toBeGreaterThanOrEqual(last);
        expect(end).toBeGreaterThanOrEqual(start);
        last = start;
        for (const said of words ?? []) {
          expect(said.start).toBeGreaterThanOrEqual(last);
          expect(said.end).toBeGreaterThanOrEqual(said.start);
          expect(said.end).toBeLessThanOrEqual(end);
          last = said.end;
        }
        last = end;
      }
      expect(attached.lastSpeech).toBe(last);
    }
  });

  test("that no voice could say so fast are spread over their segment", () => {
    const { segments } = attachWords(
      [segment(3, 5)],
      [[word(" ab", 9, 9), word(" cd", 9, 9)]],
      { median: 1, maximum: 2 },
      0,
    );
    expect(segments[0].words?.map(({ start, end }) => [start, end])).toEqual([
      [3, 4],
      [4, 5],
    ]);
  });
});
