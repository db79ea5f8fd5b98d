import { createKey, ensureTenant, openDatabase } from "@scribe/database";
import { startTestStack, waitFor } from "@scribe/testing";
import { openBenchDatabase } from "../open-bench-database.ts";
import { percentile, printTable } from "../print-table.ts";
import { post } from "./batch.ts";

const QUEUED = 5_000;
const ASKED = 12;

/** One worker's only slot, another tenant's 5,000 jobs before it: how long a tenant's single job waits for its claim. */
export async function fairness(redisUrl: string | undefined): Promise<void> {
  const database = await openBenchDatabase();
  const db = openDatabase({
    url: database.url,
    poolSize: 2,
    encryptionKey: Buffer.from(database.env.SCRIBE_ENCRYPTION_KEY!, "base64"),
    applicationName: "bench",
  });
  const stack = await startTestStack({
    ...database.env,
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    WORKER_CONCURRENCY: "1",
  });
  try {
    const keyOf = async (name: string) =>
      (await createKey(db, { tenantId: (await ensureTenant(db, name)).id, name: "bench", scopes: ["transcribe"] })).key;
    const [many, one] = [await keyOf("many"), await keyOf("one")];
    const rows = [];
    for (const jobMs of [250, 1_000]) {
      const waits = await waitsBehind(stack, { many, one }, jobMs);
      const [half, longest] = [percentile(waits, 0.5), Math.max(...waits)];
      rows.push([jobMs, waits.length, half.toFixed(0), longest.toFixed(0), jobMs + 1_000]);
    }
    printTable(["a job takes ms", "times asked", "wait p50 ms", "longest ms", "promised ms"], rows);
    console.log(
      `\nTenant A has ${QUEUED} jobs queued, tenant B posts one; the worker has one slot. From the post's commit to the claim.\n`,
    );
  } finally {
    await stack.stop();
    await db.close();
    await database.stop();
  }
}

async function waitsBehind(
  stack: Awaited<ReturnType<typeof startTestStack>>,
  { many, one }: { many: string; one: string },
  jobMs: number,
): Promise<number[]> {
  const item = {
    ...{ url: "https://example.org/a.mp3", engine: "synthetic" },
    metadata: { synthetic: JSON.stringify({ audio: false, windows: 1, delay_ms: jobMs }) },
  };
  const call = async (path: string, key: string, init: RequestInit = {}) =>
    (await (await stack.call(path, { ...init, headers: { authorization: `Bearer ${key}` } })).json()) as View;
  const items = Array.from({ length: QUEUED }, () => item);
  const { batch_id: id } = (await post(stack, "/api/v1/batches", { items }, many)) as { batch_id: string };
  const begun = async () => (await call(`/api/v1/batches/${id}`, many)).counts.completed >= 2;
  await waitFor(begun, { timeoutMs: 60_000, what: "the first jobs of the many" });
  const waits: number[] = [];
  for (let n = 0; n < ASKED; n++) {
    const { job_id: job } = (await post(stack, "/api/v1/transcribe", item, one)) as { job_id: string };
    const ended = async () => (await call(`/api/v1/jobs/${job}`, one)).status === "completed";
    await waitFor(ended, { timeoutMs: 60_000, everyMs: 37, what: "the one job" });
    const { started_at, created_at } = await call(`/api/v1/jobs/${job}`, one);
    waits.push(Date.parse(started_at) - Date.parse(created_at));
  }
  await call(`/api/v1/batches/${id}/cancel`, many, { method: "POST" });
  return waits;
}

interface View {
  status: string;
  created_at: string;
  started_at: string;
  counts: { completed: number };
}
