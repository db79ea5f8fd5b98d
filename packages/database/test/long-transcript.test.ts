import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Segment } from "@scribe/domain";
import { completeJob, recordWindow } from "../src/index.ts";
import { aCheckpoint, anOutcome, aSegment, type DatabaseBench, openBench, WITH_WEBHOOK } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const DAY_SECONDS = 86_400;
const SEGMENTS = 10_000;
const WORDS_A_SEGMENT = 20;
const WINDOW_SEGMENTS = 250;

function daySegment(id: number): Segment {
  const start = (id * DAY_SECONDS) / SEGMENTS;
  const words = Array.from({ length: WORDS_A_SEGMENT }, (_, n) => {
    const at = start + n * 0.4;
    return { word: ` word${n}`, start: at, end: at + 0.3, probability: 0.9 };
  });
  return { ...aSegment(id, words.map(({ word }) => word.trim()).join(" ")), start, end: start + 8.5, words };
}

test("24 hours of words are committed whole, with every segment changed at the end", async () => {
  const job = await bench.running(WITH_WEBHOOK);
  const segments = Array.from({ length: SEGMENTS }, (_, id) => daySegment(id));
  for (let from = 0; from < SEGMENTS; from += WINDOW_SEGMENTS) {
    const window = segments.slice(from, from + WINDOW_SEGMENTS);
    const progress = (95 * from) / SEGMENTS;
    expect(await recordWindow(bench.db, job.lease, { segments: window, progress, checkpoint: aCheckpoint(from) })).toBe(
      true,
    );
  }
  const changed = segments.map((segment) => ({ ...segment, speaker: `SPEAKER_0${segment.id % 2}` }));
  const text = segments.map((segment) => segment.text).join(" ");
  const outcome = anOutcome({
    text,
    duration: DAY_SECONDS,
    changedSegments: changed,
    speakers: ["SPEAKER_00", "SPEAKER_01"],
  });
  expect(await completeJob(bench.db, job.lease, outcome)).toBe(true);

  const transcript = (await bench.jobs.transcript(job.id))!;
  expect(transcript.text).toBe(text);
  expect(transcript.segments).toHaveLength(SEGMENTS);
  for (const id of [0, 1, 4_999, SEGMENTS - 1]) expect(transcript.segments[id]).toEqual(changed[id]);
  const words = transcript.segments.reduce((sum, segment) => sum + segment.words!.length, 0);
  expect(words).toBe(SEGMENTS * WORDS_A_SEGMENT);
  const [started, completed] = await bench.deliveries(job.id);
  expect(started.type).toBe("job.started");
  expect(JSON.parse(completed.body).data).toHaveProperty("result_url");
});
