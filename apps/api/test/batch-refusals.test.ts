import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createKey, ensureTenant } from "@scribe/database";
import { type BatchBench, HOOK, item, items, refused, startBatches } from "./batch-bench.ts";
import { finish, segment } from "./drive-jobs.ts";
import type { TestApi } from "./start-test-api.ts";

let bench: BatchBench;
let api: TestApi;
beforeAll(async () => {
  bench = await startBatches({ MAX_BATCH_BYTES: "8000000", MAX_LARGE_BODIES_PER_KEY: "5" });
  api = bench.api;
}, 60_000);
beforeEach(() => bench.forgetAll());
afterAll(() => api.stop());

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
    const response = await bench.post({ items: [item(1), bad, item(3)] });
    const problem = await refused(response, "invalid_request", "Line 2");
    expect(problem.errors?.[0]?.path).toBe(path);
    expect(await bench.rowCount("jobs")).toBe(0);
    expect(await bench.rowCount("batches")).toBe(0);
  });

  test("keeps its code: an address inside, an unknown model, an upload that is not there", async () => {
    await refused(await bench.post({ items: [{ url: "http://127.0.0.1/a.wav" }] }), "url_not_allowed", "Line 1");
    await refused(await bench.post({ items: [item(1), item(2, { model: "none" })] }), "unknown_model", "Line 2");
    const gone = await bench.post({ items: [item(1), { upload_id: "01900000-0000-7000-8000-000000000001" }] });
    expect((await refused(gone, "not_found", "Line 2")).errors?.[0]?.path).toBe("lines.2.upload_id");
    await refused(await bench.post({ items: [{ upload_id: "no id" }] }), "not_found", "Line 1");
  });

  test("that is no JSON is named as an editor counts", async () => {
    const response = await bench.postLines([{ batch: {} }, item(1), "", "{ broken"]);
    expect((await refused(response, "invalid_request", "Line 4")).errors).toEqual([
      { path: "lines.4", message: "is not well-formed JSON" },
    ]);
    const machinery = await bench.postLines(['{"url":"https://example.com/a","__proto__":{"a":1}}']);
    expect((await refused(machinery, "invalid_request")).errors?.[0]?.path).toBe("lines.1.__proto__");
  });

  test("that is nested without end is named, with a key and without", async () => {
    const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    for (const headers of [{}, { "Idempotency-Key": "deep" }] as Record<string, string>[]) {
      const response = await bench.postLines([item(1), deep], undefined, headers);
      expect((await refused(response, "invalid_request", "Line 2")).errors).toEqual([
        { path: "lines.2", message: "is nested too deeply" },
      ]);
      const list = await bench.postLines([`{"items":[${deep}]}`], "application/json", headers);
      await refused(list, "invalid_request", "Line 1");
    }
  });

  test("is left out where the batch may be partial, and stands among the results", async () => {
    const batch = await bench.accept({ partial: true, items: [item(1), { url: 5 }, item(3)] });
    expect(batch).toMatchObject({ total: 2, refused: { count: 1, lines: [{ line: 2, errors: [{ path: "url" }] }] } });
    for (const job of await bench.jobsOf(batch.batch_id))
      await finish(api.db, job.id, [segment(0, ` line ${job.batch_line}`)]);
    expect(await bench.results(batch.batch_id)).toMatchObject([
      { line: 1, status: "completed", recording_id: "r1", result: { text: "line 1" } },
      { line: 2, status: "refused", errors: [{ path: "url" }] },
      { line: 3, status: "completed", result: { segments: [{ text: " line 3" }] } },
    ]);
  });

  test("is refused with all others where none is good", async () => {
    const problem = await refused(await bench.post({ partial: true, items: [{}, {}] }), "invalid_request", "Line 1");
    expect(problem.errors).toHaveLength(2);
    expect(await bench.rowCount("batches")).toBe(0);
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
    const { errors } = await refused(await bench.post(body), "invalid_request");
    expect(errors?.[0]?.path).toBe(path);
  });

  test("in another form, malformed, too large or packed is refused", async () => {
    await refused(await bench.postLines(items(1), "text/plain"), "unsupported_media");
    await refused(await bench.postLines(["[{]"], "application/json"), "invalid_request", "well-formed");
    await refused(await bench.postLines(["[]"], "application/json"), "invalid_request", "object");
    await refused(await bench.postLines([" ".repeat(8_000_001)]), "payload_too_large");
    const packed = { "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip" };
    const response = await api.call("/api/v1/batches", { method: "POST", headers: packed, body: "x" });
    await refused(response, "unsupported_media");
    await refused(await bench.post({ items: items(1), webhook_url: "http://10.0.0.1/" }), "url_not_allowed");
  });

  test("MAX_BATCH_BYTES: as many are read, and not one more", async () => {
    const line = JSON.stringify(item(1));
    const whole = (bytes: number) => bench.postLines([line, " ".repeat(bytes - Buffer.byteLength(line) - 1)]);
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
    await bench.accept({ items: items(1) });
  });

  test("with more audio than the tenant has room for is refused whole", async () => {
    const { id } = await ensureTenant(api.db, "small");
    await api.db.pool.query(`UPDATE tenants SET limits = '{"queued_audio_seconds": 1000}' WHERE id = $1`, [id]);
    const { key } = await createKey(api.db, { tenantId: id, name: "k", scopes: ["transcribe"] });
    const three = await api.call("/api/v1/batches", { key, json: { items: items(3) } });
    expect(three.status).toBe(202);
    const response = await api.call("/api/v1/batches", { key, json: { items: items(2), partial: true } });
    await refused(response, "quota_exceeded", "1000 seconds");
    expect(await bench.rowCount("jobs")).toBe(3);
  });
});
