import { join } from "node:path";
import { freePort, startProcess, startTestStack, type TestStack, waitFor } from "@scribe/testing";
import type { BenchOptions } from "../main.ts";
import { openBenchDatabase } from "../open-bench-database.ts";
import { median, percentile, printTable } from "../print-table.ts";
import { type LoadResult, load, type Target } from "./load.ts";

const WARM_UP_SECONDS = 1;
const UNLIMITED = "10000000";
const BODY = JSON.stringify({ url: "https://example.org/talk.mp3" });

/** The API and a bare route take turns on one database, so that what disturbs the machine disturbs both. */
export async function http({ seconds, connections, rounds }: BenchOptions): Promise<void> {
  const database = await openBenchDatabase();
  // The worker must not take the jobs: this is about the API.
  const stack = await startTestStack({
    ...database.env,
    WORKER_ROLES: "maintenance",
    RATE_LIMIT_READS: UNLIMITED,
    RATE_LIMIT_CREATES: UNLIMITED,
  });
  const barePort = String(await freePort());
  const bare = startProcess(join(import.meta.dirname, "bare-server.ts"), { ...database.env, PORT: barePort });
  const bareOrigin = `http://127.0.0.1:${barePort}`;
  try {
    await waitFor(async () => (await fetch(`${bareOrigin}/ready`)).ok);
    const id = await cancelledJob(stack);
    const headers = { authorization: `Bearer ${stack.key}` };
    const pairs: [string, Target, Target][] = [
      [
        "POST /transcribe",
        { origin: stack.url, method: "POST", path: "/api/v1/transcribe", headers, body: BODY, status: 202 },
        { origin: bareOrigin, method: "POST", path: "/transcribe", body: BODY, status: 202 },
      ],
      [
        "GET /jobs/{id}",
        { origin: stack.url, method: "GET", path: `/api/v1/jobs/${id}`, headers, status: 200 },
        { origin: bareOrigin, method: "GET", path: `/jobs/${id}`, status: 200 },
      ],
    ];
    const rows: (string | number)[][] = [];
    for (const [name, ours, theirs] of pairs) {
      const results = await takeTurns([ours, theirs], { seconds, connections, rounds });
      const rates = results.map((list) => median(list.map((result) => result.requestsPerSecond)));
      for (const [at, who] of ["API", "bare Express + pg"].entries()) {
        const latencies = results[at]!.flatMap((result) => result.latencies);
        rows.push([
          ...[name, who, rates[at]!.toFixed(0), percentile(latencies, 0.5).toFixed(1)],
          ...[percentile(latencies, 0.99).toFixed(1), (rates[at]! / rates[1]!).toFixed(2)],
        ]);
      }
    }
    printTable(["route", "who", "requests/s", "p50 ms", "p99 ms", "ratio"], rows);
    console.log(`\nMedians of ${rounds} rounds of ${seconds} s in turn, ${connections} connections, kept alive.`);
    console.log(
      "Bare: one Express file, the same insert (job and first event) and select, no key, limit, check or queue.",
    );
    console.log("Servers, Postgres and the load generator share this machine, which flatters neither.");
  } finally {
    await bare.stop();
    await stack.stop();
    await database.stop();
  }
}

async function takeTurns(
  targets: Target[],
  o: { seconds: number; connections: number; rounds: number },
): Promise<LoadResult[][]> {
  const results: LoadResult[][] = targets.map(() => []);
  for (const target of targets) await load(target, { ...o, seconds: WARM_UP_SECONDS });
  for (let round = 0; round < o.rounds; round++) {
    for (const [at, target] of targets.entries()) results[at]!.push(await load(target, o));
  }
  return results;
}

/** A job that changes no more and has no result: its answer is one row, as the bare route's is. */
async function cancelledJob(stack: TestStack): Promise<string> {
  const headers = { "content-type": "application/json" };
  const accepted = await stack.call("/api/v1/transcribe", { method: "POST", headers, body: BODY });
  const { job_id: id } = (await accepted.json()) as { job_id: string };
  const cancelled = await stack.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
  if (cancelled.status !== 202) throw new Error(`Cancel was answered ${cancelled.status}: ${await cancelled.text()}`);
  return id;
}
