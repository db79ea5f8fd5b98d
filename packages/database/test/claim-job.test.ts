import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { JobError, uuidV7 } from "@scribe/domain";
import { claimJob, completeJob, failAttempt, lookAtLeases, recordWindow, renewLease } from "../src/index.ts";
import {
  anOutcome,
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

const tryClaim = (id: string, leaseSeconds = 30) => claimJob(bench.db, id, { workerId: "w", leaseSeconds });

describe("a claim", () => {
  test("takes a pending job, and tells so", async () => {
    const job = await bench.create({ metadata: { a: 1 } });
    const claimed = await tryClaim(job.id);
    expect(claimed).toMatchObject({ id: job.id, status: "processing", phase: "queued", leaseEpoch: 1, crashes: 0 });
    expect(claimed).toMatchObject({ checkpoint: null, segmentCount: 0, metadata: { a: 1 } });
    expect(claimed?.startedAt).toBeInstanceOf(Date);
    expect(await bench.events(job.id)).toMatchObject([
      { ordinal: 1, type: "status", data: { status: "pending" } },
      { ordinal: 2, type: "status", data: { status: "processing" } },
    ]);
  });

  test("is had by one of twenty that try at once", async () => {
    const { id } = await bench.create();
    const claims = await Promise.all(Array.from({ length: 20 }, () => tryClaim(id)));
    expect(claims.filter((claim) => claim !== null)).toHaveLength(1);
  });

  test("finds nothing where the job is held, not due, ended or unknown", async () => {
    const held = await bench.running();
    expect(await tryClaim(held.id)).toBeNull();

    const later = await bench.create();
    await bench.sql("UPDATE jobs SET next_run_at = now() + interval '1 hour' WHERE id = $1", [later.id]);
    expect(await tryClaim(later.id)).toBeNull();

    const completed = await bench.running();
    await completeJob(bench.db, completed.lease, anOutcome());
    const failed = await bench.running();
    await failAttempt(bench.db, failed.lease, new JobError("unsupported_audio", "x"), threeAttempts);
    const cancelled = await bench.create();
    await bench.jobs.cancel(cancelled.id);
    for (const { id } of [completed, failed, cancelled]) {
      const before = await bench.sql("SELECT * FROM jobs WHERE id = $1", [id]);
      expect(await tryClaim(id)).toBeNull();
      expect(await bench.sql("SELECT * FROM jobs WHERE id = $1", [id])).toEqual(before);
    }
    expect(await tryClaim(uuidV7())).toBeNull();
  });

  test("goes by the database's clock, not the worker's", async () => {
    const { id } = await bench.create();
    const [{ until, now }] = await bench.sql<{ until: Date; now: Date }>(
      "UPDATE jobs SET next_run_at = now() + interval '0.3 second' WHERE id = $1 RETURNING next_run_at AS until, now()",
      [id],
    );
    expect(await tryClaim(id)).toBeNull();
    await bench.sql("SELECT pg_sleep(extract(epoch FROM $1::timestamptz - $2::timestamptz))", [until, now]);
    expect(await tryClaim(id, 1)).not.toBeNull();
    expect(await tryClaim(id)).toBeNull();
    await bench.sql("SELECT pg_sleep(1.05)");
    expect(await tryClaim(id)).toMatchObject({ leaseEpoch: 2, crashes: 1 });
  });

  test("after a lapse brings checkpoint and count of segments", async () => {
    const job = await bench.running();
    await recordWindow(bench.db, job.lease, aWindow(0, 1, 2));
    await letLeaseRunOut(bench, job.id);
    const again = await bench.claim(job.id);
    expect(again).toMatchObject({ leaseEpoch: 2, segmentCount: 3, checkpoint: { fingerprint: "f" } });
  });

  test("tells the webhook that the job has started once, however often it starts", async () => {
    const job = await bench.running(WITH_WEBHOOK);
    for (let i = 0; i < 3; i++) {
      await letLeaseRunOut(bench, job.id);
      await bench.claim(job.id);
    }
    const deliveries = await bench.deliveries(job.id);
    expect(deliveries.map(({ type }) => type)).toEqual(["job.started"]);
    expect(JSON.parse(deliveries[0].body)).toMatchObject({
      type: "job.started",
      data: { job_id: job.id, status: "processing", sequence: 1 },
    });
    expect((await bench.events(job.id)).map(({ data }) => data.status)).toEqual(["pending", "processing"]);
  });
});

describe("a lease", () => {
  test("is renewed by who holds it, and by nobody else", async () => {
    const job = await bench.running();
    const untilOf = async () =>
      (await bench.sql<{ until: Date }>("SELECT lease_until AS until FROM jobs WHERE id = $1", [job.id]))[0].until;
    const before = await untilOf();
    expect(await renewLease(bench.db, job.lease, 300)).toBe(true);
    expect((await untilOf()).getTime()).toBeGreaterThan(before.getTime() + 200_000);
    const renewed = await untilOf();
    expect(await renewLease(bench.db, { ...job.lease, epoch: 0 }, 3000)).toBe(false);
    expect(await renewLease(bench.db, { ...job.lease, epoch: 2 }, 3000)).toBe(false);
    expect(await untilOf()).toEqual(renewed);
  });

  test("that ran out and was taken by nobody may still be renewed", async () => {
    const job = await bench.running();
    await letLeaseRunOut(bench, job.id);
    expect(await renewLease(bench.db, job.lease, 30)).toBe(true);
    expect(await tryClaim(job.id)).toBeNull();
  });

  test("of several, it is told how each stands", async () => {
    const [kept, lapsed, cancelled] = [await bench.running(), await bench.running(), await bench.running()];
    await letLeaseRunOut(bench, lapsed.id);
    await bench.claim(lapsed.id);
    await bench.jobs.cancel(cancelled.id);
    const erased = { jobId: uuidV7(), epoch: 1 };
    const leases = [kept, lapsed, cancelled].map(({ lease }) => lease);
    expect([...(await lookAtLeases(bench.db, [...leases, erased]))].sort()).toEqual(
      [
        [kept.id, "held"],
        [lapsed.id, "lost"],
        [cancelled.id, "cancelled"],
        [erased.jobId, "cancelled"],
      ].sort(),
    );
    expect(await lookAtLeases(bench.db, [])).toEqual(new Map());
  });
});
