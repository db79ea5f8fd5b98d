import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { type Batch, type BatchBench, HOOK, items, refused, startBatches } from "./batch-bench.ts";
import { claim, complete, finish, segment } from "./drive-jobs.ts";
import type { TestApi } from "./start-test-api.ts";

let bench: BatchBench;
let api: TestApi;
beforeAll(async () => {
  bench = await startBatches();
  api = bench.api;
}, 60_000);
beforeEach(() => bench.forgetAll());
afterAll(() => api.stop());

describe("the end", () => {
  test("is told once, in the transaction that ends the last job", async () => {
    const { batch_id: id } = await bench.accept({ items: items(3), webhook_url: HOOK, metadata: { a: 1 } });
    const [first, second, third] = await bench.jobsOf(id);
    await finish(api.db, first.id, [segment(0, " one")]);
    const running = await claim(api.db, second.id);
    expect(await bench.read(id)).toMatchObject({
      status: "processing",
      counts: { pending: 1, processing: 1, completed: 1 },
    });
    await api.call(`/api/v1/jobs/${third.id}/cancel`, { method: "POST" });
    expect(await bench.deliveries()).toEqual([]);
    await complete(api.db, running, "two");
    expect(await bench.read(id)).toMatchObject({
      ...{ status: "completed", progress: 100, cancelled_at: null, completed_at: expect.any(String) },
      counts: { pending: 0, processing: 0, completed: 2, failed: 0, cancelled: 1 },
    });
    expect(await bench.deliveries()).toMatchObject([
      {
        ...{ type: "batch.completed", batch_id: id },
        body: {
          type: "batch.completed",
          data: {
            ...{ batch_id: id, status: "completed", total: 3, refused: 0, metadata: { a: 1 } },
            counts: { completed: 2, failed: 0, cancelled: 1 },
            results_url: expect.stringMatching(new RegExp(`/api/v1/batches/${id}/results$`)),
          },
        },
      },
    ]);
    // Erasing a job later tells nobody, and leaves the counts.
    expect((await api.call(`/api/v1/jobs/${first.id}`, { method: "DELETE" })).status).toBe(204);
    expect(await bench.read(id)).toMatchObject({ total: 3, counts: { completed: 2 } });
    expect(await bench.deliveries()).toHaveLength(1);
    expect(await bench.results(id)).toMatchObject([
      { line: 2, status: "completed" },
      { line: 3, status: "cancelled" },
    ]);
  });

  test("is found by one of many that end at once", async () => {
    const { batch_id: id } = await bench.accept({ items: items(24), webhook_url: HOOK });
    const jobs = await bench.jobsOf(id);
    const claimed = [];
    for (const job of jobs) claimed.push(await claim(api.db, job.id));
    await Promise.all(claimed.map((job) => complete(api.db, job, "text")));
    expect(await bench.read(id)).toMatchObject({ status: "completed", counts: { completed: 24 } });
    expect(await bench.deliveries()).toHaveLength(1);
  });

  test("of a batch without a webhook is told to nobody", async () => {
    const { batch_id: id } = await bench.accept({ items: items(1) });
    await finish(api.db, (await bench.jobsOf(id))[0].id, []);
    expect(await bench.read(id)).toMatchObject({ status: "completed" });
    expect(await bench.deliveries()).toEqual([]);
  });
});

describe("cancelling", () => {
  const cancel = (id: string) => api.call(`/api/v1/batches/${id}/cancel`, { method: "POST" });

  test("ends every job that has not ended, and tells it once", async () => {
    const { batch_id: id } = await bench.accept({ items: items(5), webhook_url: HOOK });
    const jobs = await bench.jobsOf(id);
    await finish(api.db, jobs[0].id, [segment(0, " one")]);
    const running = await claim(api.db, jobs[1].id);
    const response = await cancel(id);
    expect(response.status).toBe(202);
    const batch = (await response.json()) as Batch;
    expect(batch).toMatchObject({
      status: "cancelled",
      counts: { completed: 1, cancelled: 4, pending: 0, processing: 0 },
    });
    await expect(complete(api.db, running, "late")).rejects.toThrow("lease");
    const events = await api.db.pool.query("SELECT type, data FROM job_events WHERE job_id = $1 ORDER BY ordinal", [
      jobs[4].id,
    ]);
    expect(events.rows.map(({ type, data }) => [type, data.status])).toEqual([
      ["status", "pending"],
      ["status", "cancelled"],
      ["done", "cancelled"],
    ]);
    expect(await bench.deliveries()).toMatchObject([
      { type: "batch.cancelled", body: { data: { status: "cancelled" } } },
    ]);
    const usage = await api.db.pool.query("SELECT sum(cancelled)::int AS cancelled FROM usage");
    expect(usage.rows[0].cancelled).toBeGreaterThanOrEqual(4);

    const again = await cancel(id);
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(batch);
    expect(await bench.deliveries()).toHaveLength(1);
  });

  test("races with the jobs' own ends without losing one", async () => {
    const { batch_id: id } = await bench.accept({ items: items(12), webhook_url: HOOK });
    const claimed = [];
    for (const job of await bench.jobsOf(id)) claimed.push(await claim(api.db, job.id));
    const [answers] = await Promise.all([
      Promise.all([cancel(id), cancel(id)]),
      ...claimed.map((job) => complete(api.db, job, "text").catch(() => undefined)),
    ]);
    expect(answers.every(({ status }) => status === 202 || status === 200)).toBe(true);
    const { counts } = await bench.read(id);
    expect(counts.completed! + counts.cancelled!).toBe(12);
    const { rows } = await api.db.pool.query("SELECT status, count(*)::int AS n FROM jobs GROUP BY status");
    for (const { status, n } of rows) expect([status, counts[status]]).toEqual([status, n]);
    expect(await bench.deliveries()).toHaveLength(1);
  });
});

describe("erasing", () => {
  const erase = (id: string) => api.call(`/api/v1/batches/${id}`, { method: "DELETE" });

  test("stops a live batch, and takes everything of a finished one", async () => {
    const first = await bench.post({ items: items(3), webhook_url: HOOK }, { "Idempotency-Key": "k" });
    const { batch_id: id } = (await first.json()) as Batch;
    const [job] = await bench.jobsOf(id);
    await finish(api.db, job.id, [segment(0, " one")]);
    const stopped = await erase(id);
    expect(stopped.status).toBe(202);
    expect(await stopped.json()).toMatchObject({ status: "cancelled", counts: { completed: 1, cancelled: 2 } });
    expect((await erase(id)).status).toBe(204);
    await refused(await erase(id), "not_found");
    await refused(await api.call(`/api/v1/batches/${id}/results`), "not_found");
    for (const table of ["batches", "jobs", "segments", "transcripts", "job_events", "webhook_deliveries"]) {
      expect([table, await bench.rowCount(table)]).toEqual([table, 0]);
    }
    expect(await bench.rowCount("idempotency_records")).toBe(0);
    const { rows } = await api.db.pool.query("SELECT target FROM audit WHERE action = 'batch.erased'");
    expect(rows).toEqual([{ target: id }]);
  });

  test("goes page by page, and leaves audio that another job uses", async () => {
    const { batch_id: id } = await bench.accept({ items: items(1_200) });
    await api.db.pool.query("UPDATE jobs SET audio_key = 'audio/shared'");
    await bench.accept({ items: items(1) });
    await api.db.pool.query("UPDATE jobs SET audio_key = 'audio/shared' WHERE audio_key IS NULL");
    await api.call(`/api/v1/batches/${id}/cancel`, { method: "POST" });
    expect((await erase(id)).status).toBe(204);
    expect(await bench.rowCount("jobs")).toBe(1);
  });
});
