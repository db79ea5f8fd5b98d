import { expect, test } from "@jest/globals";
import { orderTurns, speakerLabel } from "../../src/diarize/turns.ts";

test("speakers are numbered by first appearance", () => {
  const ordered = orderTurns(
    [
      { start: 5, end: 6, speaker: 2 },
      { start: 0, end: 1, speaker: 7 },
      { start: 2, end: 3, speaker: 4 },
      { start: 8, end: 9, speaker: 7 },
    ],
    0,
  );
  expect(ordered.map(({ start, speaker }) => [start, speakerLabel(speaker)])).toEqual([
    [0, "SPEAKER_00"],
    [2, "SPEAKER_01"],
    [5, "SPEAKER_02"],
    [8, "SPEAKER_00"],
  ]);
});

test("a short pause is closed unless somebody begins in it", () => {
  const closed = orderTurns(
    [
      { start: 0, end: 1, speaker: 0 },
      { start: 1.5, end: 2, speaker: 0 },
      { start: 2.1, end: 2.2, speaker: 1 },
      { start: 2.3, end: 3, speaker: 0 },
      { start: 4, end: 5, speaker: 0 },
    ],
    0.8,
  );
  expect(closed).toEqual([
    { start: 0, end: 2, speaker: 0 },
    { start: 2.1, end: 2.2, speaker: 1 },
    { start: 2.3, end: 3, speaker: 0 },
    { start: 4, end: 5, speaker: 0 },
  ]);
});

test("the hundredth speaker has a name too", () => expect(speakerLabel(100)).toBe("SPEAKER_100"));
