import { startTestRedis, startTestStack, type TestRedis, type TestStack, waitFor } from "@scribe/testing";
import { Pool as PgPool } from "pg";
import { Pool } from "undici";
import type { BenchOptions } from "../main.ts";
import { openBenchDatabase } from "../open-bench-database.ts";
import { median, percentile, printTable } from "../print-table.ts";
import { bareBullmq } from "./bare-bullmq.ts";
import { statementLoop } from "./statement-loop.ts";

const SLOTS = 8;
const WARM_UP_JOBS = 200;
const CALM_JOBS_A_SECOND = 20;
const BODY = JSON.stringify({
  url: "https://example.org/talk.mp3",
  engine: "synthetic",
  metadata: { synthetic: JSON.stringify({ audio: false, windows: 1 }) },
});

/** Whole job cycles over HTTP with an engine that computes nothing, next to the same statements without all the rest. */
export async function queue({ jobs, seconds, rounds }: BenchOptions): Promise<void> {
  const redis = await startTestRedis().catch(() => null);
  const database = await openBenchDatabase();
  // Apart: our own dispatcher would take the loop's jobs.
  const loopDatabase = await openBenchDatabase();
  const stack = await startTestStack({
    ...database.env,
    ...(redis && { REDIS_URL: redis.url }),
    WORKER_CONCURRENCY: String(SLOTS),
    RATE_LIMIT_READS: "10000000",
    RATE_LIMIT_CREATES: "10000000",
  });
  const pool = new PgPool({ connectionString: database.url, max: 2 });
  try {
    await cycles(stack, pool, WARM_UP_JOBS);
    const calm = await latencies(stack, pool, Math.max(10, 5 * seconds));
    const ours: Cycles[] = [];
    const loop: number[] = [];
    const bull: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await cycles(stack, pool, jobs));
      loop.push(await statementLoop(loopDatabase, { jobs, atOnce: 2 * SLOTS }));
      if (redis) bull.push(await bareBullmq(redis.url, { jobs: 5 * jobs, atOnce: SLOTS }));
    }
    printAll(ours, loop, bull, redis);
    printTable(
      ["submit to claim", "jobs", "p50 ms", "p99 ms", "slowest ms"],
      [
        [
          ...[`${CALM_JOBS_A_SECOND} jobs a second`, calm.length, percentile(calm, 0.5).toFixed(0)],
          ...[percentile(calm, 0.99).toFixed(0), Math.max(...calm).toFixed(0)],
        ],
      ],
    );
  } finally {
    await pool.end();
    await stack.stop();
    await loopDatabase.stop();
    await database.stop();
    await redis?.stop();
  }
}

function printAll(ours: Cycles[], loop: number[], bull: number[], redis: TestRedis | null): void {
  const rate = median(ours.map((result) => result.jobsPerSecond));
  const bare = median(loop);
  printTable(
    ["what", "jobs/s", "ratio", "commits/job that write", "commits/job in all"],
    [
      [
        `job cycles over HTTP (queue on ${redis ? "Redis" : "Postgres"})`,
        ...[rate.toFixed(0), (rate / bare).toFixed(2)],
        ...[
          median(ours.map((result) => result.writes)).toFixed(1),
          median(ours.map((result) => result.commits)).toFixed(1),
        ],
      ],
      ["the same statements in a loop of pg", bare.toFixed(0), "1.00", "", ""],
      ...(bull.length > 0 ? [["bare BullMQ, add and process", median(bull).toFixed(0), "", "", ""]] : []),
    ],
  );
  console.log(
    "\nPostgres flushes each commit (fsync on). A job is accepted, dispatched, claimed, has one window, completes.",
  );
  console.log("The loop: insert, dispatch, claim, window and completion of this project through pg, in one process.");
  console.log(
    "Commits that write are counted by transaction ids, all commits by pg_stat_database (reads are among them).",
  );
  console.log("Servers, API, worker and load share this machine.\n");
}

interface Cycles {
  jobsPerSecond: number;
  writes: number;
  commits: number;
}

/** From the first post to the last completion. */
async function cycles(stack: TestStack, pool: PgPool, jobs: number): Promise<Cycles> {
  const api = new Pool(stack.url, { connections: 24, pipelining: 1 });
  const before = await counters(pool);
  const done = async () => (await completed(pool)) - before.completed;
  const startedAt = performance.now();
  try {
    let next = 0;
    const some = async () => {
      while (next++ < jobs) await submit(api, stack.key);
    };
    await Promise.all(Array.from({ length: 24 }, some));
    await waitFor(async () => (await done()) >= jobs, { timeoutMs: 300_000, everyMs: 50, what: "the end of all jobs" });
    const took = (performance.now() - startedAt) / 1000;
    const after = await counters(pool);
    return {
      jobsPerSecond: jobs / took,
      writes: (after.writes - before.writes) / jobs,
      commits: (after.commits - before.commits) / jobs,
    };
  } finally {
    await api.close();
  }
}

/** At a steady, calm pace: how long each job waited for its claim, by the database's clock. */
async function latencies(stack: TestStack, pool: PgPool, seconds: number): Promise<number[]> {
  const api = new Pool(stack.url, { connections: 8, pipelining: 1 });
  const { rows: start } = await pool.query<{ now: Date }>("SELECT now() AS now");
  const jobs = seconds * CALM_JOBS_A_SECOND;
  const before = await completed(pool);
  try {
    const startedAt = performance.now();
    const posts: Promise<void>[] = [];
    for (let n = 0; n < jobs; n++) {
      const dueMs = startedAt + (n * 1000) / CALM_JOBS_A_SECOND;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
      posts.push(submit(api, stack.key));
    }
    await Promise.all(posts);
    await waitFor(async () => (await completed(pool)) - before >= jobs, { timeoutMs: 60_000, what: "the end of all" });
    const { rows } = await pool.query<{ ms: number }>(
      `SELECT extract(epoch FROM started_at - created_at)::float8 * 1000 AS ms FROM jobs WHERE created_at >= $1`,
      [start[0]!.now],
    );
    return rows.map(({ ms }) => ms);
  } finally {
    await api.close();
  }
}

async function submit(api: Pool, key: string): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const { statusCode, body } = await api.request({ method: "POST", path: "/api/v1/transcribe", headers, body: BODY });
  const text = await body.text();
  if (statusCode !== 202) throw new Error(`A job was answered ${statusCode}: ${text}`);
}

async function completed(pool: PgPool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>("SELECT count(*)::int AS count FROM transcripts");
  return rows[0]!.count;
}

async function counters(pool: PgPool) {
  // What backends have counted is told to the others at most once a second.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const { rows } = await pool.query<{ writes: string; commits: string }>(
    `SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS writes, xact_commit::text AS commits
     FROM pg_stat_database WHERE datname = current_database()`,
  );
  return { writes: Number(rows[0]!.writes), commits: Number(rows[0]!.commits), completed: await completed(pool) };
}
