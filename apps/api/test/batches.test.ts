import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { ensureTenant, tenantUploads } from "@scribe/database";
import { type Batch, type BatchBench, item, items, refused, startBatches } from "./batch-bench.ts";
import type { TestApi } from "./start-test-api.ts";

let bench: BatchBench;
let api: TestApi;
beforeAll(async () => {
  bench = await startBatches();
  api = bench.api;
}, 60_000);
beforeEach(() => bench.forgetAll());
afterAll(() => api.stop());

/** All jobs, with a message of so many bytes. */
const failAll = (of: BatchBench, bytes: number) =>
  of.api.db.pool.query("UPDATE jobs SET status = 'failed', error = $1", [
    { code: "internal", message: "m".repeat(bytes), retryable: false },
  ]);

describe("a manifest", () => {
  test("makes a job of each item, with the batch's options where it has none of its own", async () => {
    const response = await bench.post({
      defaults: { language: "he", priority: "low", metadata: { from: "batch" } },
      items: [item(1), item(2, { language: "en", metadata: { from: "line" } })],
      metadata: { show: 7 },
    });
    expect(response.status).toBe(202);
    const batch = (await response.json()) as Batch;
    expect(response.headers.get("location")).toBe(`/api/v1/batches/${batch.batch_id}`);
    expect(batch).toMatchObject({ status: "processing", total: 2, progress: 0, metadata: { show: 7 } });
    expect(await bench.jobsOf(batch.batch_id)).toMatchObject([
      {
        batch_line: 1,
        recording_id: "r1",
        language: "he",
        priority: 3,
        metadata: { from: "batch" },
        status: "pending",
      },
      { batch_line: 2, recording_id: "r2", language: "en", priority: 3, metadata: { from: "line" } },
    ]);
    const [job] = await bench.jobsOf(batch.batch_id);
    const shown = await (await api.call(`/api/v1/jobs/${job.id}`)).json();
    expect(shown).toMatchObject({ batch_id: batch.batch_id, status: "pending" });
    const listed = await (await api.call(`/api/v1/jobs?batch_id=${batch.batch_id}`)).json();
    expect((listed as { data: unknown[] }).data).toHaveLength(2);
  });

  test("may be lines of JSON, of which the first speaks for the batch", async () => {
    const response = await bench.postLines([
      { batch: { defaults: { language: "fr" }, metadata: { a: 1 } } },
      item(1),
      "",
      item(2),
    ]);
    const batch = (await response.json()) as Batch;
    expect(response.status).toBe(202);
    expect(await bench.jobsOf(batch.batch_id)).toMatchObject([
      { batch_line: 2, language: "fr" },
      { batch_line: 4, language: "fr" },
    ]);
  });

  test("takes ten thousand items, in their order, and not one more", async () => {
    const batch = await bench.accept({ items: items(10_000) });
    expect(batch).toMatchObject({ total: 10_000, counts: { pending: 10_000 } });
    const { rows } = await api.db.pool.query(
      `SELECT count(*)::int AS jobs, bool_and(before IS NULL OR before < batch_line) AS ordered
       FROM (SELECT batch_line, lag(batch_line) OVER (ORDER BY created_at, id) AS before FROM jobs) AS jobs`,
    );
    expect(rows).toEqual([{ jobs: 10_000, ordered: true }]);
    expect(await bench.rowCount("job_events")).toBe(10_000);
    await refused(await bench.post({ items: items(10_001) }), "invalid_request", "at most 10000");
    await refused(await bench.postLines(items(10_001)), "invalid_request", "at most 10000");
  });

  test("of one upload more than once takes it each time", async () => {
    const { id: tenantId } = await ensureTenant(api.db, "default");
    const upload = await tenantUploads(api.db, tenantId).create({
      ...{ state: "stored", sizeBytes: 32_000, sha256: "a".repeat(64), storageKey: `audio/${tenantId}/u/source` },
      expiresAt: new Date(Date.now() + 60_000),
    });
    const batch = await bench.accept({ items: [{ upload_id: upload.id }, { upload_id: upload.id }] });
    const same = { audio_key: upload.storageKey, audio_sha256: "a".repeat(64), audio_bytes: "32000", audio_seconds: 2 };
    expect(await bench.jobsOf(batch.batch_id)).toMatchObject([same, same]);
  });

  test("of an equal post with the same key is the first one", async () => {
    const first = await bench.post({ items: items(2) }, { "Idempotency-Key": "once" });
    const again = await bench.post({ items: items(2) }, { "Idempotency-Key": "once" });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    expect(await bench.rowCount("jobs")).toBe(2);
    await refused(await bench.post({ items: items(3) }, { "Idempotency-Key": "once" }), "idempotency_mismatch");
  });
});

test("batches are listed newest first, a page at a time", async () => {
  const ids = [];
  for (let n = 0; n < 3; n++) ids.unshift((await bench.accept({ items: items(1) })).batch_id);
  const page = async (query: string) =>
    (await (await api.call(`/api/v1/batches?${query}`)).json()) as { data: Batch[]; next_cursor: string | null };
  const first = await page("limit=2");
  expect(first.data.map(({ batch_id }) => batch_id)).toEqual(ids.slice(0, 2));
  const rest = await page(`limit=2&cursor=${first.next_cursor}`);
  expect(rest).toMatchObject({ data: [{ batch_id: ids[2] }], next_cursor: null });
});

test("results are read no faster than they are taken", async () => {
  const { batch_id: id } = await bench.accept({ items: items(300) });
  // A minute each of dense words: some 100 KB a result.
  const words = " word".repeat(20_000);
  await api.db.pool.query("UPDATE jobs SET status = 'completed', duration = 3600");
  await api.db.pool.query(
    "INSERT INTO transcripts (job_id, text, duration, speakers) SELECT id, $1, 3600, '{}' FROM jobs",
    [words],
  );
  const response = await api.call(`/api/v1/batches/${id}/results`);
  const reader = response.body!.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = process.memoryUsage().rss;
  await new Promise((resolve) => setTimeout(resolve, 500));
  // Nobody reads: nothing is fetched meanwhile.
  expect(process.memoryUsage().rss - before).toBeLessThan(20_000_000);
  let bytes = 0;
  let last = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    bytes += value.length;
    last = Buffer.from(value.subarray(-40)).toString();
  }
  expect(bytes).toBeGreaterThan(28_000_000);
  expect(last.endsWith("\n")).toBe(true);
});

test("whoever leaves in the middle of the results costs nothing more", async () => {
  const { batch_id: id } = await bench.accept({ items: items(50) });
  await failAll(bench, 100_000);
  const leave = new AbortController();
  const response = await api.call(`/api/v1/batches/${id}/results`, { signal: leave.signal });
  await response.body!.getReader().read();
  leave.abort();
  expect(await bench.results(id)).toHaveLength(50);
  expect(api.log()).not.toContain('"level":"error"');
});

describe("a reader's patience", () => {
  const PATIENCE_MS = 1_500;
  let impatient: BatchBench;
  beforeAll(async () => {
    impatient = await startBatches({}, { slowReaderMs: PATIENCE_MS });
  }, 60_000);
  afterAll(() => impatient.api.stop());

  const resultsOf = async (jobs: number, bytes: number) => {
    const { batch_id: id } = await impatient.accept({ items: items(jobs) });
    await failAll(impatient, bytes);
    const response = await impatient.api.call(`/api/v1/batches/${id}/results`);
    return response.body!.getReader();
  };

  test("ends where nothing of the results is taken", async () => {
    const reader = await resultsOf(300, 100_000);
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS + 1_000));
    const rest = async () => {
      while (!(await reader.read()).done);
    };
    await expect(rest()).rejects.toThrow();
  });

  test("does not end while a long line is taken slowly", async () => {
    await impatient.forgetAll();
    const reader = await resultsOf(1, 50_000_000);
    const begun = Date.now();
    let bytes = 0;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      bytes += value.length;
      const aheadMs = bytes / 12_000 - (Date.now() - begun);
      if (aheadMs > 20) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
    expect(bytes).toBeGreaterThan(50_000_000);
    expect(Date.now() - begun).toBeGreaterThan(2 * PATIENCE_MS);
  });
});
