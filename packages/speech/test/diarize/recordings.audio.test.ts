import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
// biome-ignore lint/style/noRestrictedImports: recordings and scorer belong to the bench, which has no tests of its own
import { type Recording, readRecordings } from "../../../../bench/src/diarization/recordings.ts";
// biome-ignore lint/style/noRestrictedImports: as above
import { addScores, errorRate, scoreDiarization } from "../../../../bench/src/diarization/score-diarization.ts";
import { diarizeRecording } from "../../src/diarize/process/diarize-recording.ts";

const folder = mkdtempSync(join(tmpdir(), "recordings-"));
let recordings: Recording[];
beforeAll(() => {
  recordings = readRecordings(process.env.SCRIBE_TEST_AUDIO!, folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const find = ({ pcmPath }: Recording, speakers?: number) =>
  diarizeRecording(
    { pcmPath, minSpeakers: speakers, maxSpeakers: speakers, executionProviders: ["cpu"], intraOpThreads: 1 },
    () => {},
  );
const countOf = ({ reference }: Recording) => new Set(reference.map(({ speaker }) => speaker)).size;

test("conversations of read speech: few errors, whether the number of speakers is known or not", async () => {
  const scores = { known: [], unknown: [] } as Record<"known" | "unknown", ReturnType<typeof scoreDiarization>[]>;
  for (const recording of recordings.filter(({ group }) => group === "mixtures")) {
    const known = await find(recording, countOf(recording));
    scores.known.push(scoreDiarization(recording.reference, known.turns, { collar: 0.25 }));
    const unknown = await find(recording);
    scores.unknown.push(scoreDiarization(recording.reference, unknown.turns, { collar: 0.25 }));
    expect(Math.abs(unknown.speakers.length - countOf(recording))).toBeLessThanOrEqual(1);
  }
  expect(errorRate(addScores(scores.known))).toBeLessThan(0.12);
  expect(errorRate(addScores(scores.unknown))).toBeLessThan(0.2);
}, 300_000);

test("the same conversation over and over has the speakers that it has once", async () => {
  const recording = recordings.find(({ name }) => name.endsWith("mix3a"))!;
  const once = readFileSync(recording.pcmPath);
  const pcmPath = join(folder, "again.pcm");
  writeFileSync(pcmPath, Buffer.concat([once, once, once, once, once]));
  expect((await find({ ...recording, pcmPath })).speakers).toHaveLength(countOf(recording));
}, 300_000);

test("meetings: better than to name one speaker for all that is said", async () => {
  const [found, one] = [[], []] as ReturnType<typeof scoreDiarization>[][];
  for (const recording of recordings.filter(({ group }) => group === "AMI")) {
    const seconds = recording.reference.reduce((sum, { start, end }) => sum + end - start, 0);
    if (seconds < 10) continue;
    found.push(scoreDiarization(recording.reference, (await find(recording)).turns));
    one.push(scoreDiarization(recording.reference, (await find(recording, 1)).turns));
  }
  expect(errorRate(addScores(found))).toBeLessThan(errorRate(addScores(one)));
}, 300_000);
