import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
// biome-ignore lint/style/noRestrictedImports: the scorer belongs to the bench, which has no tests of its own
import { errorRate, scoreDiarization, type Turn } from "../../../../bench/src/diarization/score-diarization.ts";
import { seededRandom } from "../../src/diarize/gaussian/gaussian-mixture.ts";

/** Where Debian's `sctk` puts NIST's scorer. */
const MD_EVAL = "/usr/lib/sctk/bin/md-eval.pl";
const folder = mkdtempSync(join(tmpdir(), "md-eval-"));
afterAll(() => rmSync(folder, { recursive: true }));

const toRttm = (turns: readonly Turn[]) =>
  turns
    .map(
      ({ start, end, speaker }) =>
        `SPEAKER talk 1 ${start.toFixed(3)} ${(end - start).toFixed(3)} <NA> <NA> ${speaker} <NA> <NA>\n`,
    )
    .join("");

/** Turns of one speaker do not overlap each other; those of different speakers may. */
function randomTurns(names: readonly string[], random: () => number): Turn[] {
  return names.flatMap((speaker) => {
    const turns: Turn[] = [];
    let at = Math.round(random() * 3000);
    for (let i = 0; i < 6; i++) {
      const length = 300 + Math.round(random() * 4000);
      turns.push({ speaker, start: at / 1000, end: (at + length) / 1000 });
      at += length + 200 + Math.round(random() * 5000);
    }
    return turns;
  });
}

test.each([0, 0.25])("agrees with NIST's scorer, collar %d", (collar) => {
  expect(existsSync(MD_EVAL)).toBe(true);
  const random = seededRandom(9);
  for (let round = 0; round < 5; round++) {
    const reference = randomTurns(["anna", "ben", "cleo"].slice(0, 1 + (round % 3)), random);
    const found = randomTurns(["x", "y", "z", "w"].slice(0, 1 + Math.floor(random() * 4)), random);
    writeFileSync(join(folder, "ref.rttm"), toRttm(reference));
    writeFileSync(join(folder, "sys.rttm"), toRttm(found));
    const report = execFileSync("perl", [
      ...[MD_EVAL, "-c", `${collar}`, "-r", join(folder, "ref.rttm"), "-s", join(folder, "sys.rttm")],
    ]).toString();
    const said = (pattern: RegExp) => Number(pattern.exec(report)?.[1]);
    const score = scoreDiarization(reference, found, { collar });
    expect(score.scored).toBeCloseTo(said(/SCORED SPEAKER TIME =\s*([\d.]+)/), 1);
    expect(score.missed).toBeCloseTo(said(/MISSED SPEAKER TIME =\s*([\d.]+)/), 1);
    expect(score.falseAlarm).toBeCloseTo(said(/FALARM SPEAKER TIME =\s*([\d.]+)/), 1);
    expect(score.confusion).toBeCloseTo(said(/SPEAKER ERROR TIME =\s*([\d.]+)/), 1);
    expect(100 * errorRate(score)).toBeCloseTo(said(/OVERALL SPEAKER DIARIZATION ERROR = ([\d.]+)/), 1);
  }
});
