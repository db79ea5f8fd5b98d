import {
  makeWav,
  startFileServer,
  startTestRedis,
  startTestStack,
  type TestStack,
  tone,
  waitFor,
} from "@scribe/testing";
import type { BenchOptions } from "../main.ts";
import { openBenchDatabase } from "../open-bench-database.ts";
import { printTable } from "../print-table.ts";
import { cached } from "./cached.ts";
import { fairness } from "./fairness.ts";

const SLOTS = 8;
const WARM_UP_JOBS = 200;
const NO_AUDIO = { synthetic: JSON.stringify({ audio: false, windows: 1 }) };
const WITH_AUDIO = { synthetic: JSON.stringify({ windows: 1 }) };

/** A batch of short files with an engine that computes nothing; then one job behind another tenant's many; then a hit of the cache. */
export async function batch({ jobs, rounds }: BenchOptions): Promise<void> {
  const redis = await startTestRedis().catch(() => null);
  const database = await openBenchDatabase();
  const files = await startFileServer();
  const stack = await startTestStack({
    ...database.env,
    ...(redis && { REDIS_URL: redis.url }),
    WORKER_CONCURRENCY: String(SLOTS),
    RATE_LIMIT_READS: "10000000",
    RATE_LIMIT_CREATES: "10000000",
  });
  try {
    const url = files.serve("short.wav", makeWav({ seconds: 1, signal: tone(300) }));
    const plain = { url, engine: "synthetic", metadata: NO_AUDIO };
    const heard = { url, engine: "synthetic", metadata: WITH_AUDIO };
    await inOneBatch(stack, plain, WARM_UP_JOBS);
    const rows = [];
    for (let round = 1; round <= rounds; round++) {
      rows.push(["a batch", jobs, ...(await inOneBatch(stack, plain, jobs))]);
      rows.push(["a request each", jobs, ...(await oneByOne(stack, plain, jobs))]);
      rows.push(["a batch, each file fetched and decoded", jobs, ...(await inOneBatch(stack, heard, jobs))]);
    }
    printTable(
      ["what", "jobs", "accepted in s", "all ended in s", "ms a job"],
      rows.sort(([a], [b]) => String(a).localeCompare(String(b))),
    );
    console.log(
      `\n${SLOTS} slots, and an engine that computes nothing: all of the time is overhead. Queue on ${redis ? "Redis" : "Postgres"}.`,
    );
    console.log("Postgres flushes each commit. Servers, API, worker and load share this machine.\n");
    await cached(stack);
  } finally {
    await stack.stop();
    await files.stop();
    await database.stop();
  }
  try {
    await fairness(redis?.url);
  } finally {
    await redis?.stop();
  }
}

async function inOneBatch(stack: TestStack, item: object, jobs: number): Promise<string[]> {
  const startedAt = performance.now();
  const { batch_id: id } = (await post(stack, "/api/v1/batches", {
    items: Array.from({ length: jobs }, () => item),
  })) as { batch_id: string };
  const acceptedAt = performance.now();
  const ended = async () => {
    const view = (await (await stack.call(`/api/v1/batches/${id}`)).json()) as Counted;
    if (view.counts.failed > 0) throw new Error(`${view.counts.failed} jobs of the batch failed.`);
    return view.status === "completed";
  };
  await waitFor(ended, { timeoutMs: 600_000, everyMs: 50, what: "the end of the batch" });
  return figures(startedAt, acceptedAt, jobs);
}

interface Counted {
  status: string;
  counts: { failed: number };
}

async function oneByOne(stack: TestStack, item: object, jobs: number): Promise<string[]> {
  const startedAt = performance.now();
  const ids: string[] = [];
  let next = 0;
  const some = async () => {
    while (next++ < jobs) ids.push(((await post(stack, "/api/v1/transcribe", item)) as { job_id: string }).job_id);
  };
  await Promise.all(Array.from({ length: 16 }, some));
  const acceptedAt = performance.now();
  const last = new Set(ids);
  const ended = async () => {
    for (const id of [...last].slice(0, 20)) {
      const { status } = (await (await stack.call(`/api/v1/jobs/${id}?result=false`)).json()) as { status: string };
      if (status === "completed") last.delete(id);
      else return false;
    }
    return last.size === 0;
  };
  await waitFor(ended, { timeoutMs: 600_000, everyMs: 5, what: "the end of all jobs" });
  return figures(startedAt, acceptedAt, jobs);
}

function figures(startedAt: number, acceptedAt: number, jobs: number): string[] {
  const tookMs = performance.now() - startedAt;
  return [((acceptedAt - startedAt) / 1000).toFixed(2), (tookMs / 1000).toFixed(2), (tookMs / jobs).toFixed(1)];
}

export async function post(stack: TestStack, path: string, json: unknown, key = stack.key): Promise<unknown> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await stack.call(path, { method: "POST", headers, body: JSON.stringify(json) });
  if (answer.status !== 202) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return await answer.json();
}
