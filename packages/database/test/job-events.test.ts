import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { completeJob, readSegments, recordRestart, recordWindow } from "../src/index.ts";
import { anOutcome, aSegment, aWindow, type DatabaseBench, letLeaseRunOut, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const told = async (jobId: string) =>
  (await bench.events(jobId)).flatMap(({ type, data }) => (type === "segment" ? [data.id] : []));

test("each finished segment is told once, in order, with rising ordinals", async () => {
  const job = await bench.running();
  await recordWindow(bench.db, job.lease, { ...aWindow(), segments: [aSegment(1), aSegment(0)] });
  await recordWindow(bench.db, job.lease, aWindow());
  await recordWindow(bench.db, job.lease, aWindow(2, 3));
  await completeJob(bench.db, job.lease, anOutcome());
  const events = await bench.events(job.id);
  expect(events.map(({ ordinal }) => ordinal)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(events.map(({ type }) => type)).toEqual([
    ...["status", "status", "segment", "segment", "segment", "segment", "status", "done"],
  ]);
  expect(await told(job.id)).toEqual([0, 1, 2, 3]);
  expect(events[2].data).toEqual(aSegment(0));
});

test("the next attempt's segments go on after the last", async () => {
  const job = await bench.running();
  await recordWindow(bench.db, job.lease, aWindow(0, 1));
  await letLeaseRunOut(bench, job.id);
  const next = await bench.claim(job.id);
  await recordWindow(bench.db, next.lease, aWindow(next.segmentCount));
  expect(await told(job.id)).toEqual([0, 1, 2]);
});

test("after a restart segments are stored again, but told once", async () => {
  const job = await bench.running();
  await recordWindow(bench.db, job.lease, aWindow(0, 1, 2));
  expect(await recordRestart(bench.db, job.lease)).toBe(true);
  expect(await bench.jobs.segments(job.id)).toEqual([]);
  expect((await bench.jobs.get(job.id))?.checkpoint).toBeNull();
  expect((await bench.jobs.get(job.id))?.progress).toBe(50);
  await recordWindow(bench.db, job.lease, { ...aWindow(), segments: [aSegment(0, "better"), aSegment(1)] });
  expect(await told(job.id)).toEqual([0, 1, 2]);
  await recordWindow(bench.db, job.lease, aWindow(2, 3));
  expect(await told(job.id)).toEqual([0, 1, 2, 3]);
  expect((await readSegments(bench.db.pool, job.id)).map(({ text }) => text)).toEqual([
    ...["better", "segment 1", "segment 2", "segment 3"],
  ]);
  const ordinals = (await bench.events(job.id)).map(({ ordinal }) => ordinal);
  expect(ordinals).toEqual([...new Set(ordinals)].sort((a, b) => a - b));
});

test("a reader resumes behind any ordinal, page by page, without loss or repeat", async () => {
  const job = await bench.running();
  for (let i = 0; i < 30; i += 3) await recordWindow(bench.db, job.lease, aWindow(i, i + 1, i + 2));
  await recordRestart(bench.db, job.lease);
  for (let i = 0; i < 33; i += 3) await recordWindow(bench.db, job.lease, aWindow(i, i + 1, i + 2));
  const all = await bench.jobs.events(job.id, 0, 1000);
  expect(all).toHaveLength(2 + 33);
  const read: number[] = [];
  for (let last = 0; ; ) {
    const page = await bench.jobs.events(job.id, last, 7);
    if (page.length === 0) break;
    read.push(...page.map(({ ordinal }) => ordinal));
    last = page.at(-1)!.ordinal;
  }
  expect(read).toEqual(all.map(({ ordinal }) => ordinal));
});

test("a window is stored whole or not at all", async () => {
  const job = await bench.running();
  const broken = { ...aWindow(0), segments: [aSegment(0), { ...aSegment(1), text: "\0" }] };
  await expect(recordWindow(bench.db, job.lease, broken)).rejects.toThrow();
  expect(await bench.jobs.segments(job.id)).toEqual([]);
  expect(await told(job.id)).toEqual([]);
});
