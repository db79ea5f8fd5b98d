import { describe, expect, test } from "@jest/globals";
import type { SpeechSegment } from "../src/index.ts";
import { dropAnomalies, dropSilent, findLoop, isAnomalous } from "../src/whisper/guards.ts";

const segment = (start: number, end: number, probability = 0.9, wordSeconds = 0.3): SpeechSegment => ({
  ...{ start, end, text: " so it is", tokens: [], avg_logprob: -0.3, no_speech_prob: 0 },
  ...{ compression_ratio: 1, temperature: 0 },
  words: [0, 1, 2].map((i) => ({
    word: " so",
    start: start + i * wordSeconds,
    end: start + (i + 1) * wordSeconds,
    probability,
  })),
});

describe("loops", () => {
  const round = [7, 8, 9, 10, 11, 12];
  test("are cut behind their first round", () => {
    expect(findLoop([1, 2, ...Array(30).fill(5)])).toBe(3);
    expect(findLoop([1, 2, ...round, ...round, ...round, ...round])).toBe(8);
    expect(findLoop([1, ...round, ...round, ...round, ...round, 7, 8, 9])).toBe(7);
  });
  test("need many tokens, and many rounds", () => {
    expect(findLoop([])).toBeUndefined();
    expect(findLoop(Array(20).fill(5))).toBeUndefined();
    expect(findLoop([...round, ...round, ...round])).toBeUndefined();
    expect(findLoop([...Array(30).fill(5), 1])).toBeUndefined();
    expect(findLoop(Array.from({ length: 224 }, (_, i) => i))).toBeUndefined();
  });
});

describe("text where nothing is said", () => {
  const speechUntil = (seconds: number) => (start: number, end: number) =>
    Math.max(0, Math.min(end, seconds) - Math.max(0, start));

  test("is dropped", () => {
    const segments = [segment(0, 2), segment(4, 6), segment(7, 9)];
    expect(dropSilent(segments, speechUntil(5))).toEqual(segments.slice(0, 2));
    expect(dropSilent(segments, speechUntil(0))).toEqual([]);
  });
});

describe("implausible segments", () => {
  test("are those of improbable, hurried or endless words", () => {
    expect(isAnomalous(segment(0, 1))).toBe(false);
    expect(isAnomalous(segment(0, 1, 0.1))).toBe(true);
    expect(isAnomalous(segment(0, 1, 0.9, 0.05))).toBe(true);
    expect(isAnomalous(segment(0, 9, 0.9, 3.5))).toBe(true);
    expect(isAnomalous({ ...segment(0, 1, 0.1), words: [] })).toBe(false);
  });

  test("are dropped where speech is scarce, or without detection where they stand alone", () => {
    const said = [segment(0, 2), segment(10, 12, 0.1), segment(20, 22)];
    const kept = [said[0], said[2]];
    expect(dropAnomalies(said, 0, 30)).toEqual(kept);
    expect(dropAnomalies([said[0], segment(3, 5, 0.1), segment(6, 8)], 0, 30)).toHaveLength(3);
    expect(dropAnomalies(said, 0, 30, () => 2)).toEqual(said);
    expect(dropAnomalies(said, 0, 30, () => 0.3)).toEqual(kept);
  });
});
