import { expect, test } from "@jest/globals";
import { type Segment, toParagraphs } from "../src/index.ts";

const segment = (id: number, start: number, end: number, text: string, speaker?: string): Segment => ({
  ...{ id, start, end, text, avg_logprob: 0, no_speech_prob: 0, compression_ratio: 1, temperature: 0 },
  ...(speaker === undefined ? {} : { speaker }),
});

test("a paragraph ends where the speaker changes and where it is long silent", () => {
  const segments = [
    segment(0, 0, 2, " Hello.", "Anna"),
    segment(1, 2.5, 4, " How are you?", "Anna"),
    segment(2, 4, 5, " Fine.", "Ben"),
    segment(3, 7.5, 8, " And you?", "Ben"),
    segment(4, 8, 9, " "),
  ];
  expect(toParagraphs(segments)).toEqual([
    { start: 0, end: 4, speaker: "Anna", text: "Hello. How are you?", first_segment: 0, last_segment: 1 },
    { start: 4, end: 5, speaker: "Ben", text: "Fine.", first_segment: 2, last_segment: 2 },
    { start: 7.5, end: 8, speaker: "Ben", text: "And you?", first_segment: 3, last_segment: 3 },
  ]);
});

test("a long one ends with a sentence, or in the middle where there is no end", () => {
  const ten = "a b c d e f g h i j";
  const sentences = Array.from({ length: 20 }, (_, i) => segment(i, i, i + 1, i % 2 === 0 ? ten : `${ten}.`));
  expect(toParagraphs(sentences).map(({ last_segment: last }) => last)).toEqual([7, 15, 19]);
  const endless = Array.from({ length: 50 }, (_, i) => segment(i, i, i + 1, ten));
  expect(toParagraphs(endless).map(({ last_segment: last }) => last)).toEqual([19, 39, 49]);
});

test("of silence there is none", () => {
  expect(toParagraphs([])).toEqual([]);
});
