import { describe, expect, test } from "@jest/globals";
// biome-ignore lint/style/noRestrictedImports: the scorer belongs to the bench, which has no tests of its own
import { assignLargest } from "../../../../bench/src/diarization/assign-largest.ts";
// biome-ignore lint/style/noRestrictedImports: the scorer belongs to the bench, which has no tests of its own
import { addScores, errorRate, scoreDiarization } from "../../../../bench/src/diarization/score-diarization.ts";
import { seededRandom } from "../../src/diarize/gaussian/gaussian-mixture.ts";

const turn = (speaker: string, start: number, end: number) => ({ speaker, start, end });

describe("the diarization error", () => {
  const reference = [turn("anna", 0, 10), turn("ben", 10, 20)];

  test("is nothing for the same turns under other names", () => {
    expect(errorRate(scoreDiarization(reference, [turn("1", 10, 20), turn("0", 0, 10)]))).toBe(0);
  });

  test("tells missed, false and confused speech apart", () => {
    const found = [turn("0", 0, 8), turn("1", 12, 20), turn("0", 18, 20)];
    expect(scoreDiarization(reference, found)).toEqual({ scored: 20, missed: 4, falseAlarm: 2, confusion: 0 });
    expect(scoreDiarization(reference, [turn("0", 0, 20)])).toEqual({
      scored: 20,
      missed: 0,
      falseAlarm: 0,
      confusion: 10,
    });
  });

  test("does not look within the collar of a border", () => {
    const score = scoreDiarization(reference, [turn("0", 0.2, 10.2), turn("1", 10.2, 20)], { collar: 0.25 });
    expect(score).toEqual({ scored: 19, missed: 0, falseAlarm: 0, confusion: 0 });
  });

  test("of nobody is all that was said", () => expect(errorRate(scoreDiarization(reference, []))).toBe(1));

  test("is pooled by seconds", () => {
    const pooled = addScores([
      { scored: 10, missed: 1, falseAlarm: 0, confusion: 0 },
      { scored: 30, missed: 0, falseAlarm: 2, confusion: 1 },
    ]);
    expect(errorRate(pooled)).toBeCloseTo(0.1);
  });
});

test("speakers are matched so that most time agrees", () => {
  const random = seededRandom(2);
  for (let round = 0; round < 200; round++) {
    const [rows, columns] = [1 + Math.floor(random() * 4), 1 + Math.floor(random() * 4)];
    const gains = Array.from({ length: rows }, () => Array.from({ length: columns }, () => Math.floor(random() * 10)));
    const best = (row: number, used: number): number => {
      if (row === rows) return 0;
      let most = best(row + 1, used);
      for (let c = 0; c < columns; c++) {
        if (!(used & (1 << c))) most = Math.max(most, gains[row][c] + best(row + 1, used | (1 << c)));
      }
      return most;
    };
    const chosen = assignLargest(gains);
    expect(new Set(chosen.filter((c) => c >= 0)).size).toBe(chosen.filter((c) => c >= 0).length);
    expect(chosen.reduce((sum, c, row) => sum + (c < 0 ? 0 : gains[row][c]), 0)).toBe(best(0, 0));
  }
});
