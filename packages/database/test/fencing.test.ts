import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { JobError } from "@scribe/domain";
import {
  completeJob,
  type Database,
  failAttempt,
  handBack,
  type Lease,
  recordAudio,
  recordDecoded,
  recordPhase,
  recordRestart,
  recordWindow,
  renewLease,
} from "../src/index.ts";
import {
  anOutcome,
  aSegment,
  aWindow,
  type DatabaseBench,
  letLeaseRunOut,
  openBench,
  threeAttempts,
  WITH_WEBHOOK,
} from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const WRITES: [string, (db: Database, lease: Lease) => Promise<unknown>, unknown][] = [
  ["recordAudio", (db, lease) => recordAudio(db, lease, { key: "k", sha256: "0".repeat(64), bytes: 1 }), false],
  ["recordPhase", (db, lease) => recordPhase(db, lease, "finalizing"), false],
  ["recordDecoded", (db, lease) => recordDecoded(db, lease, { durationSeconds: 99, warnings: ["w"] }), false],
  ["recordWindow", (db, lease) => recordWindow(db, lease, aWindow(0, 1, 2)), false],
  ["recordRestart", recordRestart, false],
  ["renewLease", (db, lease) => renewLease(db, lease, 9999), false],
  ["completeJob", (db, lease) => completeJob(db, lease, anOutcome({ changedSegments: [aSegment(0, "new")] })), false],
  ["failAttempt", (db, lease) => failAttempt(db, lease, new JobError("timeout", "x"), threeAttempts), "lost"],
  [
    "failAttempt for good",
    (db, lease) => failAttempt(db, lease, new JobError("audio_too_long", "x"), threeAttempts),
    "lost",
  ],
  ["handBack", (db, lease) => handBack(db, lease), "lost"],
  ["handBack of a death", (db, lease) => handBack(db, lease, { childDeath: "alone" }), "lost"],
];

const TABLES = ["jobs", "job_events", "segments", "transcripts", "webhook_deliveries"];

/** All that the database knows, as text. */
async function everything(): Promise<string[]> {
  const tables = await Promise.all(
    TABLES.map((table) => bench.sql<{ row: string }>(`SELECT ${table}::text AS row FROM ${table} ORDER BY 1`)),
  );
  return tables.flat().map(({ row }) => row);
}

describe.each(WRITES)("%s", (_, write, refusal) => {
  test("of a worker whose lease another took writes nothing", async () => {
    const job = await bench.running(WITH_WEBHOOK);
    await recordWindow(bench.db, job.lease, aWindow(0));
    await letLeaseRunOut(bench, job.id);
    await bench.claim(job.id);
    const before = await everything();
    expect(await write(bench.db, job.lease)).toBe(refusal);
    expect(await everything()).toEqual(before);
  });

  test("of a worker whose job was cancelled writes nothing", async () => {
    const job = await bench.running(WITH_WEBHOOK);
    await recordWindow(bench.db, job.lease, aWindow(0));
    const cancelled = (await bench.jobs.cancel(job.id))!.job;
    const before = await everything();
    expect(await write(bench.db, job.lease)).toBe(refusal);
    // Nor does an epoch that is right by chance: the status fences too.
    expect(await write(bench.db, { jobId: job.id, epoch: cancelled.leaseEpoch })).toBe(refusal);
    expect(await everything()).toEqual(before);
  });
});

describe("a write of who holds the lease", () => {
  test("says where the audio lies", async () => {
    const job = await bench.running();
    const sha256 = "a".repeat(64);
    expect(await recordAudio(bench.db, job.lease, { key: "audio/x", sha256, bytes: 2 ** 40 })).toBe(true);
    expect(await bench.jobs.get(job.id)).toMatchObject({
      audioKey: "audio/x",
      audioSha256: sha256,
      audioBytes: 2 ** 40,
    });
  });

  test("moves phase and progress, and progress never falls", async () => {
    const job = await bench.running();
    const shown = async () => {
      const { phase, progress } = (await bench.jobs.get(job.id))!;
      return [phase, progress];
    };
    await recordPhase(bench.db, job.lease, "fetching", 1.5);
    expect(await shown()).toEqual(["fetching", 1.5]);
    await recordPhase(bench.db, job.lease, "decoding");
    expect(await shown()).toEqual(["decoding", 2]);
    await recordDecoded(bench.db, job.lease, { durationSeconds: 61.25, warnings: ["loud"] });
    expect(await shown()).toEqual(["transcribing", 5]);
    expect(await bench.jobs.get(job.id)).toMatchObject({ duration: 61.25, audioSeconds: 61.25, warnings: ["loud"] });
    await recordWindow(bench.db, job.lease, { ...aWindow(0), progress: 70, language: "he" });
    await recordWindow(bench.db, job.lease, { ...aWindow(1), progress: 60 });
    expect(await shown()).toEqual(["transcribing", 70]);
    await recordPhase(bench.db, job.lease, "fetching");
    expect(await shown()).toEqual(["fetching", 70]);
    expect((await bench.jobs.get(job.id))?.language).toBe("he");
  });
});
