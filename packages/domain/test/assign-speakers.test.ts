import { describe, expect, test } from "@jest/globals";
import { assignSpeakers, type Segment } from "../src/index.ts";

const figures = { avg_logprob: -0.2, no_speech_prob: 0.01, compression_ratio: 1.2, temperature: 0 };
const word = (text: string, start: number, end: number) => ({ word: ` ${text}`, start, end, probability: 0.9 });
const turn = (speaker: string, start: number, end: number) => ({ speaker, start, end });

function segment(id: number, words: ReturnType<typeof word>[]): Segment {
  const text = words.map(({ word }) => word).join("");
  return { id, start: words[0]!.start, end: words.at(-1)!.end, text, words, ...figures };
}

const told = (segments: readonly Segment[]) => segments.map(({ id, speaker, text }) => [id, speaker, text.trim()]);

describe("words to speakers", () => {
  test("a segment of one speaker stays whole", () => {
    const [only] = assignSpeakers([segment(0, [word("good", 1, 2), word("morning", 2, 3)])], [turn("A", 0, 5)]);
    expect(only).toMatchObject({ id: 0, speaker: "A", text: " good morning", start: 1, end: 3 });
    expect(only!.words!.map(({ speaker }) => speaker)).toEqual(["A", "A"]);
  });

  test("a segment is split where the speaker changes, and those behind it move on", () => {
    const segments = [
      segment(0, [word("are", 0, 1), word("you", 1, 2), word("yes", 2, 3)]),
      segment(1, [word("fine", 3, 4)]),
    ];
    const found = assignSpeakers(segments, [turn("A", 0, 2), turn("B", 2, 4)]);
    expect(told(found)).toEqual([
      [0, "A", "are you"],
      [1, "B", "yes"],
      [2, "B", "fine"],
    ]);
    expect(found.map(({ start, end }) => [start, end])).toEqual([
      [0, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(found[1]).toMatchObject(figures);
  });

  test("an interjection keeps its own speaker", () => {
    const words = [word("so", 0, 1), word("then", 1, 2), word("yeah", 2, 2.4), word("we", 2.4, 3), word("left", 3, 4)];
    const found = assignSpeakers([segment(0, words)], [turn("A", 0, 2), turn("B", 2, 2.4), turn("A", 2.4, 4)]);
    expect(told(found).map(([, speaker, text]) => `${speaker}: ${text}`)).toEqual([
      "A: so then",
      "B: yeah",
      "A: we left",
    ]);
  });

  test("a word over a border goes to whom most of it belongs", () => {
    const found = assignSpeakers([segment(0, [word("well", 0, 1)])], [turn("A", 0, 0.3), turn("B", 0.3, 2)]);
    expect(told(found)).toEqual([[0, "B", "well"]]);
  });

  test.each([
    ["before", [word("one", 0, 1), word("half", 1, 2)], "A"],
    ["behind, where there is none before", [word("half", 1, 2), word("two", 2, 3)], "B"],
  ])("a word that two cover the same goes with the one %s", (_, words, expected) => {
    const found = assignSpeakers([segment(0, words)], [turn("A", 0, 1.5), turn("B", 1.5, 4)]);
    const half = found.flatMap(({ words }) => words ?? []).find(({ word }) => word === " half");
    expect(half?.speaker).toBe(expected);
  });

  test("a word in nobody's turn goes to the nearest", () => {
    const turns = [turn("A", 0, 1), turn("B", 8, 9)];
    const found = assignSpeakers([segment(0, [word("near", 2, 3)]), segment(1, [word("later", 6, 7)])], turns);
    expect(found.map(({ speaker }) => speaker)).toEqual(["A", "B"]);
  });

  test("words before all turns and behind them have speakers too", () => {
    const turns = [turn("A", 5, 6), turn("B", 6, 7)];
    const found = assignSpeakers([segment(0, [word("first", 0, 1)]), segment(1, [word("last", 20, 21)])], turns);
    expect(found.map(({ speaker }) => speaker)).toEqual(["A", "B"]);
  });

  test("a segment without words goes whole to whom most of it belongs", () => {
    const whole = { id: 0, start: 0, end: 10, text: " no words", ...figures };
    expect(assignSpeakers([whole], [turn("A", 0, 3), turn("B", 3, 10)])).toEqual([{ ...whole, speaker: "B" }]);
  });

  test("without turns nothing has a speaker", () => {
    const segments = [segment(0, [word("hm", 0, 1)])];
    expect(assignSpeakers(segments, [])).toEqual(segments);
  });

  test("no word is lost, whatever the turns are", () => {
    const words = Array.from({ length: 300 }, (_, i) => word(`w${i}`, i * 0.3, i * 0.3 + 0.25));
    const segments = Array.from({ length: 30 }, (_, i) => segment(i, words.slice(i * 10, i * 10 + 10)));
    const turns = Array.from({ length: 40 }, (_, i) => turn(`S${(i * 7) % 5}`, i * 2.1, i * 2.1 + 1.9));
    const found = assignSpeakers(segments, turns);
    expect(found.map(({ text }) => text).join("")).toBe(words.map(({ word }) => word).join(""));
    expect(found.map(({ id }) => id)).toEqual(found.map((_, i) => i));
    for (const { words, speaker } of found)
      expect(new Set(words!.map((each) => each.speaker))).toEqual(new Set([speaker]));
  });
});
