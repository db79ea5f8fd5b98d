import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createKey, ensureTenant, tenantUploads } from "@scribe/database";
import { REQUEST_ERRORS, type RequestErrorCode } from "@scribe/domain";
import type { Problem } from "../src/http/problem.ts";
import { claim, complete, finish, segment } from "./drive-jobs.ts";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

const HOOK = "https://example.com/hook";
const item = (n: number, more: object = {}) => ({
  url: `https://example.com/${n}.wav`,
  recording_id: `r${n}`,
  ...more,
});
const items = (count: number) => Array.from({ length: count }, (_, n) => item(n + 1));

async function refused(response: Response, code: RequestErrorCode, detail = ""): Promise<Problem> {
  const problem = await expectProblem(response, REQUEST_ERRORS[code], code);
  expect(problem.detail).toContain(detail);
  return problem;
}

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ MAX_BATCH_BYTES: "8000000", MAX_LARGE_BODIES_PER_KEY: "5" }, { slowReaderMs: 1_500 });
});
beforeEach(async () => {
  await api.db.pool.query("TRUNCATE batches, jobs, webhook_deliveries, idempotency_records CASCADE");
});
afterAll(() => api.stop());

const post = (json: object, headers: Record<string, string> = {}) => api.call("/api/v1/batches", { json, headers });
const postLines = (lines: readonly (object | string)[], type = "application/x-ndjson") =>
  api.call("/api/v1/batches", {
    method: "POST",
    headers: { "Content-Type": type },
    body: lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"),
  });
const read = async (path: string) => (await (await api.call(`/api/v1/batches/${path}`)).json()) as never as Batch;

interface Batch {
  batch_id: string;
  status: string;
  progress: number;
  total: number;
  counts: Record<string, number>;
  refused: { count: number; lines: { line: number; errors: { path: string; message: string }[] }[] };
  completed_at: string | null;
  cancelled_at: string | null;
  links: { self: string; results: string; jobs: string };
}

async function accept(json: object): Promise<Batch> {
  const response = await post(json);
  expect(response.status).toBe(202);
  return (await response.json()) as Batch;
}

const jobsOf = async (batchId: string) =>
  (await api.db.pool.query("SELECT * FROM jobs WHERE batch_id = $1 ORDER BY batch_line", [batchId])).rows;
const deliveries = async () =>
  (await api.db.pool.query("SELECT type, body, batch_id FROM webhook_deliveries")).rows.map((row) => ({
    ...row,
    body: JSON.parse(row.body),
  }));
const rowCount = async (table: string) =>
  (await api.db.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]!.n;
const results = async (id: string) =>
  (await (await api.call(`/api/v1/batches/${id}/results`)).text())
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe("a manifest", () => {
  test("makes a job of each item, with the batch's options where it has none of its own", async () => {
    const response = await post({
      defaults: { language: "he", priority: "low", metadata: { from: "batch" } },
      items: [item(1), item(2, { language: "en", metadata: { from: "line" } })],
      metadata: { show: 7 },
    });
    expect(response.status).toBe(202);
    const batch = (await response.json()) as Batch;
    expect(response.headers.get("location")).toBe(`/api/v1/batches/${batch.batch_id}`);
    expect(batch).toMatchObject({ status: "processing", total: 2, progress: 0, metadata: { show: 7 } });
    expect(await jobsOf(batch.batch_id)).toMatchObject([
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
    const [job] = await jobsOf(batch.batch_id);
    const shown = await (await api.call(`/api/v1/jobs/${job.id}`)).json();
    expect(shown).toMatchObject({ batch_id: batch.batch_id, status: "pending" });
    const listed = await (await api.call(`/api/v1/jobs?batch_id=${batch.batch_id}`)).json();
    expect((listed as { data: unknown[] }).data).toHaveLength(2);
  });

  test("may be lines of JSON, of which the first speaks for the batch", async () => {
    const response = await postLines([
      { batch: { defaults: { language: "fr" }, metadata: { a: 1 } } },
      item(1),
      "",
      item(2),
    ]);
    const batch = (await response.json()) as Batch;
    expect(response.status).toBe(202);
    expect(await jobsOf(batch.batch_id)).toMatchObject([
      { batch_line: 2, language: "fr" },
      { batch_line: 4, language: "fr" },
    ]);
  });

  test("takes ten thousand items, in their order, and not one more", async () => {
    const batch = await accept({ items: items(10_000) });
    expect(batch).toMatchObject({ total: 10_000, counts: { pending: 10_000 } });
    const { rows } = await api.db.pool.query(
      `SELECT count(*)::int AS jobs, bool_and(before IS NULL OR before < batch_line) AS ordered
       FROM (SELECT batch_line, lag(batch_line) OVER (ORDER BY created_at, id) AS before FROM jobs) AS jobs`,
    );
    expect(rows).toEqual([{ jobs: 10_000, ordered: true }]);
    expect(await rowCount("job_events")).toBe(10_000);
    await refused(await post({ items: items(10_001) }), "invalid_request", "at most 10000");
    await refused(await postLines(items(10_001)), "invalid_request", "at most 10000");
  });

  test("of one upload more than once takes it each time", async () => {
    const { id: tenantId } = await ensureTenant(api.db, "default");
    const upload = await tenantUploads(api.db, tenantId).create({
      ...{ state: "stored", sizeBytes: 32_000, sha256: "a".repeat(64), storageKey: `audio/${tenantId}/u/source` },
      expiresAt: new Date(Date.now() + 60_000),
    });
    const batch = await accept({ items: [{ upload_id: upload.id }, { upload_id: upload.id }] });
    const same = { audio_key: upload.storageKey, audio_sha256: "a".repeat(64), audio_bytes: "32000", audio_seconds: 2 };
    expect(await jobsOf(batch.batch_id)).toMatchObject([same, same]);
  });

  test("of an equal post with the same key is the first one", async () => {
    const first = await post({ items: items(2) }, { "Idempotency-Key": "once" });
    const again = await post({ items: items(2) }, { "Idempotency-Key": "once" });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    expect(await rowCount("jobs")).toBe(2);
    await refused(await post({ items: items(3) }, { "Idempotency-Key": "once" }), "idempotency_mismatch");
  });
});

describe("a bad line", () => {
  test.each([
    ["an unknown field", item(2, { colour: "red" }), "lines.2.colour"],
    ["no source", { recording_id: "r" }, "lines.2.url"],
    ["two sources", item(2, { upload_id: "x" }), "lines.2.url"],
    ["a webhook of its own", item(2, { webhook_url: HOOK }), "lines.2.webhook_url"],
    ["a provider's key", item(2, { provider_key: "k" }), "lines.2.provider_key"],
    ["a wrong value", item(2, { beam_size: 99 }), "lines.2.beam_size"],
    ["no object", "text", "lines.2"],
    ["null", null, "lines.2"],
    ["a list", [], "lines.2"],
    ["NUL in a string", item(2, { prompt: "a\u0000" }), "lines.2.prompt"],
    ["metadata that is deep", item(2, { metadata: { a: { b: 1 } } }), "lines.2.metadata.a"],
    ["an engine that is not enabled", item(2, { engine: "synthetic" }), "lines.2.engine"],
  ])("(%s) is named by its number, and nothing starts", async (_, bad, path) => {
    const response = await post({ items: [item(1), bad, item(3)] });
    const problem = await refused(response, "invalid_request", "Line 2");
    expect(problem.errors?.[0]?.path).toBe(path);
    expect(await rowCount("jobs")).toBe(0);
    expect(await rowCount("batches")).toBe(0);
  });

  test("keeps its code: an address inside, an unknown model, an upload that is not there", async () => {
    await refused(await post({ items: [{ url: "http://127.0.0.1/a.wav" }] }), "url_not_allowed", "Line 1");
    await refused(await post({ items: [item(1), item(2, { model: "none" })] }), "unknown_model", "Line 2");
    const gone = await post({ items: [item(1), { upload_id: "01900000-0000-7000-8000-000000000001" }] });
    expect((await refused(gone, "not_found", "Line 2")).errors?.[0]?.path).toBe("lines.2.upload_id");
    await refused(await post({ items: [{ upload_id: "no id" }] }), "not_found", "Line 1");
  });

  test("that is no JSON is named as an editor counts", async () => {
    const response = await postLines([{ batch: {} }, item(1), "", "{ broken"]);
    expect((await refused(response, "invalid_request", "Line 4")).errors).toEqual([
      { path: "lines.4", message: "is not well-formed JSON" },
    ]);
    const machinery = await postLines(['{"url":"https://example.com/a","__proto__":{"a":1}}']);
    expect((await refused(machinery, "invalid_request")).errors?.[0]?.path).toBe("lines.1.__proto__");
  });

  test("is left out where the batch may be partial, and stands among the results", async () => {
    const batch = await accept({ partial: true, items: [item(1), { url: 5 }, item(3)] });
    expect(batch).toMatchObject({ total: 2, refused: { count: 1, lines: [{ line: 2, errors: [{ path: "url" }] }] } });
    for (const job of await jobsOf(batch.batch_id))
      await finish(api.db, job.id, [segment(0, ` line ${job.batch_line}`)]);
    expect(await results(batch.batch_id)).toMatchObject([
      { line: 1, status: "completed", recording_id: "r1", result: { text: "line 1" } },
      { line: 2, status: "refused", errors: [{ path: "url" }] },
      { line: 3, status: "completed", result: { segments: [{ text: " line 3" }] } },
    ]);
  });

  test("is refused with all others where none is good", async () => {
    const problem = await refused(await post({ partial: true, items: [{}, {}] }), "invalid_request", "Line 1");
    expect(problem.errors).toHaveLength(2);
    expect(await rowCount("batches")).toBe(0);
  });
});

describe("the manifest as a whole", () => {
  test.each([
    ["without items", {}, "items"],
    ["with an empty list", { items: [] }, "items"],
    ["with something else", { items: "many" }, "items"],
    ["with an unknown field", { items: items(1), name: "n" }, "name"],
    ["with a recording id for all", { items: items(1), defaults: { recording_id: "r" } }, "defaults.recording_id"],
    ["with a webhook that is no address", { items: items(1), webhook_url: "no" }, "webhook_url"],
    ["with a secret that is none", { items: items(1), webhook_secret: "short" }, "webhook_secret"],
  ])("%s is refused by name", async (_, body, path) => {
    const { errors } = await refused(await post(body), "invalid_request");
    expect(errors?.[0]?.path).toBe(path);
  });

  test("in another form, malformed, too large or packed is refused", async () => {
    await refused(await postLines(items(1), "text/plain"), "unsupported_media");
    await refused(await postLines(["[{]"], "application/json"), "invalid_request", "well-formed");
    await refused(await postLines(["[]"], "application/json"), "invalid_request", "object");
    await refused(await postLines([" ".repeat(8_000_001)]), "payload_too_large");
    const packed = { "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip" };
    const response = await api.call("/api/v1/batches", { method: "POST", headers: packed, body: "x" });
    await refused(response, "unsupported_media");
    await refused(await post({ items: items(1), webhook_url: "http://10.0.0.1/" }), "url_not_allowed");
  });

  test("MAX_BATCH_BYTES: as many are read, and not one more", async () => {
    const line = JSON.stringify(item(1));
    const whole = (bytes: number) => postLines([line, " ".repeat(bytes - Buffer.byteLength(line) - 1)]);
    expect((await whole(8_000_000)).status).toBe(202);
    await refused(await whole(8_000_001), "payload_too_large");
  });

  test("that no more can be read of is asked to come again", async () => {
    const under = Array.from({ length: 5 }, () => {
      const headers = { Authorization: `Bearer ${api.key}`, "Content-Type": "application/x-ndjson" };
      const sending = request(`${api.url}/api/v1/batches`, { method: "POST", headers });
      sending.write(JSON.stringify(item(1)));
      const answer = new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
        sending.once("error", reject).once("response", (response) => {
          resolve([response.resume().statusCode, response.headers["retry-after"]]);
        });
      });
      return { sending, answer };
    });
    // Four wait for the rest of their lines.
    expect(await Promise.race(under.map(({ answer }) => answer))).toEqual([503, "5"]);
    for (const { sending } of under) sending.end();
    const statuses = (await Promise.all(under.map(({ answer }) => answer))).map(([status]) => status);
    expect(statuses.sort()).toEqual([202, 202, 202, 202, 503]);
    await accept({ items: items(1) });
  });

  test("with more audio than the tenant has room for is refused whole", async () => {
    const { id } = await ensureTenant(api.db, "small");
    await api.db.pool.query(`UPDATE tenants SET limits = '{"queued_audio_seconds": 1000}' WHERE id = $1`, [id]);
    const { key } = await createKey(api.db, { tenantId: id, name: "k", scopes: ["transcribe"] });
    const three = await api.call("/api/v1/batches", { key, json: { items: items(3) } });
    expect(three.status).toBe(202);
    const response = await api.call("/api/v1/batches", { key, json: { items: items(2), partial: true } });
    await refused(response, "quota_exceeded", "1000 seconds");
    expect(await rowCount("jobs")).toBe(3);
  });
});

describe("the end", () => {
  test("is told once, in the transaction that ends the last job", async () => {
    const { batch_id: id } = await accept({ items: items(3), webhook_url: HOOK, metadata: { a: 1 } });
    const [first, second, third] = await jobsOf(id);
    await finish(api.db, first.id, [segment(0, " one")]);
    const running = await claim(api.db, second.id);
    expect(await read(id)).toMatchObject({ status: "processing", counts: { pending: 1, processing: 1, completed: 1 } });
    await api.call(`/api/v1/jobs/${third.id}/cancel`, { method: "POST" });
    expect(await deliveries()).toEqual([]);
    await complete(api.db, running, "two");
    expect(await read(id)).toMatchObject({
      ...{ status: "completed", progress: 100, cancelled_at: null, completed_at: expect.any(String) },
      counts: { pending: 0, processing: 0, completed: 2, failed: 0, cancelled: 1 },
    });
    expect(await deliveries()).toMatchObject([
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
    expect(await read(id)).toMatchObject({ total: 3, counts: { completed: 2 } });
    expect(await deliveries()).toHaveLength(1);
    expect(await results(id)).toMatchObject([
      { line: 2, status: "completed" },
      { line: 3, status: "cancelled" },
    ]);
  });

  test("is found by one of many that end at once", async () => {
    const { batch_id: id } = await accept({ items: items(24), webhook_url: HOOK });
    const jobs = await jobsOf(id);
    const claimed = [];
    for (const job of jobs) claimed.push(await claim(api.db, job.id));
    await Promise.all(claimed.map((job) => complete(api.db, job, "text")));
    expect(await read(id)).toMatchObject({ status: "completed", counts: { completed: 24 } });
    expect(await deliveries()).toHaveLength(1);
  });

  test("of a batch without a webhook is told to nobody", async () => {
    const { batch_id: id } = await accept({ items: items(1) });
    await finish(api.db, (await jobsOf(id))[0].id, []);
    expect(await read(id)).toMatchObject({ status: "completed" });
    expect(await deliveries()).toEqual([]);
  });
});

describe("cancelling", () => {
  const cancel = (id: string) => api.call(`/api/v1/batches/${id}/cancel`, { method: "POST" });

  test("ends every job that has not ended, and tells it once", async () => {
    const { batch_id: id } = await accept({ items: items(5), webhook_url: HOOK });
    const jobs = await jobsOf(id);
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
    expect(await deliveries()).toMatchObject([{ type: "batch.cancelled", body: { data: { status: "cancelled" } } }]);
    const usage = await api.db.pool.query("SELECT sum(cancelled)::int AS cancelled FROM usage");
    expect(usage.rows[0].cancelled).toBeGreaterThanOrEqual(4);

    const again = await cancel(id);
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(batch);
    expect(await deliveries()).toHaveLength(1);
  });

  test("races with the jobs' own ends without losing one", async () => {
    const { batch_id: id } = await accept({ items: items(12), webhook_url: HOOK });
    const claimed = [];
    for (const job of await jobsOf(id)) claimed.push(await claim(api.db, job.id));
    const [answers] = await Promise.all([
      Promise.all([cancel(id), cancel(id)]),
      ...claimed.map((job) => complete(api.db, job, "text").catch(() => undefined)),
    ]);
    expect(answers.every(({ status }) => status === 202 || status === 200)).toBe(true);
    const { counts } = await read(id);
    expect(counts.completed! + counts.cancelled!).toBe(12);
    const { rows } = await api.db.pool.query("SELECT status, count(*)::int AS n FROM jobs GROUP BY status");
    for (const { status, n } of rows) expect([status, counts[status]]).toEqual([status, n]);
    expect(await deliveries()).toHaveLength(1);
  });
});

describe("erasing", () => {
  const erase = (id: string) => api.call(`/api/v1/batches/${id}`, { method: "DELETE" });

  test("stops a live batch, and takes everything of a finished one", async () => {
    const first = await post({ items: items(3), webhook_url: HOOK }, { "Idempotency-Key": "k" });
    const { batch_id: id } = (await first.json()) as Batch;
    const [job] = await jobsOf(id);
    await finish(api.db, job.id, [segment(0, " one")]);
    const stopped = await erase(id);
    expect(stopped.status).toBe(202);
    expect(await stopped.json()).toMatchObject({ status: "cancelled", counts: { completed: 1, cancelled: 2 } });
    expect((await erase(id)).status).toBe(204);
    await refused(await erase(id), "not_found");
    await refused(await api.call(`/api/v1/batches/${id}/results`), "not_found");
    for (const table of ["batches", "jobs", "segments", "transcripts", "job_events", "webhook_deliveries"]) {
      expect([table, await rowCount(table)]).toEqual([table, 0]);
    }
    expect(await rowCount("idempotency_records")).toBe(0);
    const { rows } = await api.db.pool.query("SELECT target FROM audit WHERE action = 'batch.erased'");
    expect(rows).toEqual([{ target: id }]);
  });

  test("goes page by page, and leaves audio that another job uses", async () => {
    const { batch_id: id } = await accept({ items: items(1_200) });
    await api.db.pool.query("UPDATE jobs SET audio_key = 'audio/shared'");
    await accept({ items: items(1) });
    await api.db.pool.query("UPDATE jobs SET audio_key = 'audio/shared' WHERE audio_key IS NULL");
    await api.call(`/api/v1/batches/${id}/cancel`, { method: "POST" });
    expect((await erase(id)).status).toBe(204);
    expect(await rowCount("jobs")).toBe(1);
  });
});

test("batches are listed newest first, a page at a time", async () => {
  const ids = [];
  for (let n = 0; n < 3; n++) ids.unshift((await accept({ items: items(1) })).batch_id);
  const page = async (query: string) =>
    (await (await api.call(`/api/v1/batches?${query}`)).json()) as { data: Batch[]; next_cursor: string | null };
  const first = await page("limit=2");
  expect(first.data.map(({ batch_id }) => batch_id)).toEqual(ids.slice(0, 2));
  const rest = await page(`limit=2&cursor=${first.next_cursor}`);
  expect(rest).toMatchObject({ data: [{ batch_id: ids[2] }], next_cursor: null });
});

test("results are read no faster than they are taken", async () => {
  const { batch_id: id } = await accept({ items: items(300) });
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

test("whoever takes nothing of the results is cut off", async () => {
  const { batch_id: id } = await accept({ items: items(300) });
  await api.db.pool.query("UPDATE jobs SET status = 'failed', error = $1", [
    { code: "internal", message: "m".repeat(100_000), retryable: false },
  ]);
  const response = await api.call(`/api/v1/batches/${id}/results`);
  const reader = response.body!.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const rest = async () => {
    while (!(await reader.read()).done);
  };
  await expect(rest()).rejects.toThrow();
});

test("whoever leaves in the middle of the results costs nothing more", async () => {
  const { batch_id: id } = await accept({ items: items(50) });
  await api.db.pool.query("UPDATE jobs SET status = 'failed', error = $1", [
    { code: "internal", message: "m".repeat(100_000), retryable: false },
  ]);
  const leave = new AbortController();
  const response = await api.call(`/api/v1/batches/${id}/results`, { signal: leave.signal });
  await response.body!.getReader().read();
  leave.abort();
  expect(await results(id)).toHaveLength(50);
  expect(api.log()).not.toContain('"level":"error"');
});
