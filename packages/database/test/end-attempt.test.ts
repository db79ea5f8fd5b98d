import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { JobError } from "@scribe/domain";
import {
  claimJob,
  failAttempt,
  handBack,
  MAX_CHILD_DEATHS,
  MAX_CRASHES,
  recordWindow,
  renewLease,
} from "../src/index.ts";
import {
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

const away = new JobError("audio_fetch_failed", "The server did not answer.");
const get = async (id: string) => (await bench.jobs.get(id))!;

describe("an attempt that reported an error", () => {
  test("is tried again until three are charged, then the job fails, once", async () => {
    const job = await bench.running(WITH_WEBHOOK);
    let { lease } = job;
    for (const attempt of [1, 2]) {
      expect(await failAttempt(bench.db, lease, away, threeAttempts)).toBe("retry");
      expect(await get(job.id)).toMatchObject({
        status: "processing",
        phase: "queued",
        attempts: attempt,
        error: null,
      });
      ({ lease } = await bench.claim(job.id));
    }
    expect(await failAttempt(bench.db, lease, away, threeAttempts)).toBe("failed");
    expect(await get(job.id)).toMatchObject({ status: "failed", attempts: 3, crashes: 0, error: away.view() });
    expect((await bench.events(job.id)).map(({ type, data }) => [type, data.status])).toEqual([
      ["status", "pending"],
      ["status", "processing"],
      ["status", "failed"],
      ["done", "failed"],
    ]);
    const deliveries = await bench.deliveries(job.id);
    expect(deliveries.map(({ type }) => type)).toEqual(["job.started", "job.failed"]);
    expect(JSON.parse(deliveries[1].body).data).toMatchObject({ error: away.view(), sequence: 2, status: "failed" });
  });

  test("that cannot end differently fails the job at once", async () => {
    const job = await bench.running();
    const error = new JobError("unsupported_audio", "That is a picture.");
    expect(await failAttempt(bench.db, job.lease, error, threeAttempts)).toBe("failed");
    expect(await get(job.id)).toMatchObject({ status: "failed", attempts: 1, error: error.view() });
  });

  test("waits as long as the policy says", async () => {
    const job = await bench.running();
    const asked: number[] = [];
    const policy = {
      maxAttempts: 3,
      backoffSeconds: (attempt: number) => {
        asked.push(attempt);
        return 3600;
      },
    };
    await failAttempt(bench.db, job.lease, away, policy);
    expect(asked).toEqual([1]);
    expect(await claimJob(bench.db, job.id, { workerId: "w", leaseSeconds: 30 })).toBeNull();
    const [{ wait }] = await bench.sql<{ wait: number }>(
      "SELECT round(extract(epoch FROM next_run_at - now()))::int AS wait FROM jobs WHERE id = $1",
      [job.id],
    );
    expect(wait).toBeGreaterThan(3590);
  });

  test("is charged once, though its end is written twice, and no late renewal takes the job back", async () => {
    const job = await bench.running();
    expect(await failAttempt(bench.db, job.lease, away, threeAttempts)).toBe("retry");
    expect(await failAttempt(bench.db, job.lease, away, threeAttempts)).toBe("lost");
    expect(await renewLease(bench.db, job.lease, 30)).toBe(false);
    expect(await get(job.id)).toMatchObject({ attempts: 1 });
    await bench.claim(job.id);
  });
});

describe("a lease that runs out", () => {
  async function crash(id: string, times: number) {
    for (let i = 0; i < times; i++) {
      await letLeaseRunOut(bench, id);
      await claimJob(bench.db, id, { workerId: "w", leaseSeconds: 30 });
    }
  }

  test("five times in a row ends the job as worker_crashed, uncharged", async () => {
    const job = await bench.running(WITH_WEBHOOK);
    await crash(job.id, MAX_CRASHES - 1);
    expect(await get(job.id)).toMatchObject({ status: "processing", crashes: 4 });
    await crash(job.id, 1);
    expect(await get(job.id)).toMatchObject({
      status: "failed",
      crashes: 5,
      attempts: 0,
      error: { code: "worker_crashed" },
    });
    expect((await bench.events(job.id)).at(-1)).toMatchObject({ type: "done" });
    expect((await bench.deliveries(job.id)).map(({ type }) => type)).toEqual(["job.started", "job.failed"]);
  });

  test("is forgotten at a finished window", async () => {
    const job = await bench.running();
    await crash(job.id, MAX_CRASHES - 1);
    const epoch = (await get(job.id)).leaseEpoch;
    await recordWindow(bench.db, { jobId: job.id, epoch }, aWindow(0));
    expect((await get(job.id)).crashes).toBe(0);
    await crash(job.id, MAX_CRASHES - 1);
    expect(await get(job.id)).toMatchObject({ status: "processing", crashes: 4 });
  });
});

describe("a job that is given back", () => {
  test("is free at once, and nothing is counted", async () => {
    const job = await bench.running();
    expect(await handBack(bench.db, job.lease)).toBe("again");
    const next = await bench.claim(job.id);
    expect(next).toMatchObject({ attempts: 0, crashes: 0, childDeaths: 0, runAlone: false });
    expect(next.leaseEpoch).toBeGreaterThan(job.leaseEpoch);
  });

  test("because a shared child died runs alone next, uncharged, however often", async () => {
    const job = await bench.running();
    let { lease } = job;
    for (let i = 0; i < 2 * MAX_CHILD_DEATHS; i++) {
      expect(await handBack(bench.db, lease, { childDeath: "shared" })).toBe("again");
      const next = await bench.claim(job.id);
      expect(next).toMatchObject({ runAlone: true, childDeaths: 0, attempts: 0, crashes: 0 });
      ({ lease } = next);
    }
  });

  test("because its own child died is counted, and the third death ends it", async () => {
    const job = await bench.running(WITH_WEBHOOK);
    let { lease } = job;
    for (const deaths of [1, 2]) {
      expect(await handBack(bench.db, lease, { childDeath: "alone" })).toBe("again");
      const next = await bench.claim(job.id);
      expect(next).toMatchObject({ childDeaths: deaths, runAlone: true });
      ({ lease } = next);
    }
    expect(await handBack(bench.db, lease, { childDeath: "alone" })).toBe("failed");
    expect(await get(job.id)).toMatchObject({ status: "failed", attempts: 0, error: { code: "worker_crashed" } });
    expect((await bench.deliveries(job.id)).map(({ type }) => type)).toEqual(["job.started", "job.failed"]);
  });

  test("twice by the same hand is given back once", async () => {
    const job = await bench.running();
    expect(await handBack(bench.db, job.lease, { childDeath: "alone" })).toBe("again");
    expect(await handBack(bench.db, job.lease, { childDeath: "alone" })).toBe("lost");
    expect(await renewLease(bench.db, job.lease, 30)).toBe(false);
    expect(await bench.claim(job.id)).toMatchObject({ childDeaths: 1 });
  });
});
