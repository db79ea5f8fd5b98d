import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { makeWav, silence } from "@scribe/testing";
import { finish, segment } from "./drive-jobs.ts";
import { expectProblem } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ AUDIO_RETENTION_HOURS: "24", JOB_RETENTION_HOURS: "48" });
}, 60_000);
afterAll(() => api.stop());

const CANARY = "canary7bird";

async function upload(fields: Record<string, string> = {}): Promise<string> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  // The word is in the bytes, too: a chunk that players skip.
  const wav = makeWav({ seconds: 1, signal: silence });
  form.set("file", new Blob([wav as Uint8Array<ArrayBuffer>, CANARY]), `${CANARY}.wav`);
  const headers = { "Idempotency-Key": `${CANARY}-${Object.keys(fields).length}` };
  const response = await api.call("/api/v1/transcribe/upload", { method: "POST", body: form, headers });
  expect(response.status).toBe(202);
  return ((await response.json()) as { job_id: string }).job_id;
}

/** Every table, object and log line in which the word is now. */
async function findCanary(): Promise<string[]> {
  const found: string[] = [];
  const { rows: tables } = await api.db.pool.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
  );
  for (const { name } of tables) {
    const { rowCount } = await api.db.pool.query(`SELECT 1 FROM ${name} AS t WHERE t::text LIKE '%${CANARY}%' LIMIT 1`);
    if (rowCount === 1) found.push(name);
  }
  for (const file of await api.allFiles()) {
    if ((await readFile(join(api.dataDir, "audio", file))).includes(CANARY)) found.push("object");
  }
  if (api.log().includes(CANARY)) found.push("log");
  return [...new Set(found)].sort();
}

test("what is erased leaves no word in any table, object or log, only an audit row", async () => {
  const id = await upload({
    prompt: CANARY,
    recording_id: CANARY,
    metadata: JSON.stringify({ [CANARY]: CANARY }),
    webhook_url: `https://example.com/${CANARY}?q=${CANARY}`,
  });
  await finish(api.db, id, [segment(0, CANARY)]);
  expect(await findCanary()).toEqual([
    "object",
    ...["idempotency_records", "job_events", "jobs", "search_segments", "segments", "transcripts"].map(
      (name) => `public.${name}`,
    ),
    ...["public.webhook_deliveries", "public.webhook_endpoints"],
  ]);
  expect((await api.call(`/api/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
  expect(await findCanary()).toEqual([]);
  const { rows } = await api.db.pool.query("SELECT action FROM audit WHERE target = $1", [id]);
  expect(rows).toEqual([{ action: "job.erased" }]);
});

test("cleanup erases by policy and says what it did; only who may", async () => {
  const id = await upload();
  await finish(api.db, id, [segment(0, CANARY)]);
  await api.db.pool.query("UPDATE jobs SET completed_at = now() - interval '49 hours' WHERE id = $1", [id]);
  const stray = join(api.dataDir, "audio/audio/stray");
  await mkdir(join(stray, ".."), { recursive: true });
  await writeFile(stray, CANARY);
  await utimes(stray, 1, 1);
  await expectProblem(await api.call("/api/v1/admin/cleanup", { method: "POST" }), 403, "forbidden");
  const response = await api.call("/api/v1/admin/cleanup", { method: "POST", key: ADMIN_KEY });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ deleted: expect.any(Number), failed: 0, errors: [] });
  expect(await findCanary()).toEqual([]);
  expect((await api.call(`/api/v1/jobs/${id}`)).status).toBe(404);
  const { rows } = await api.db.pool.query("SELECT actor, detail FROM audit WHERE target = $1", [id]);
  expect(rows).toEqual([{ actor: "admin123", detail: { reason: "JOB_RETENTION_HOURS" } }]);
});

test("cleanup is 409 while another is under way", async () => {
  const other = await api.db.pool.connect();
  await other.query("SELECT pg_advisory_lock(7204513)");
  const response = await api.call("/api/v1/admin/cleanup", { method: "POST", key: ADMIN_KEY });
  expect(response.headers.get("retry-after")).toBe("30");
  await expectProblem(response, 409, "conflict");
  other.release(true);
});

test("the stats tell what storage holds", async () => {
  await upload();
  const stats = await (await api.call("/api/v1/admin/storage/stats", { key: ADMIN_KEY })).json();
  const files = (await readdir(join(api.dataDir, "audio"), { recursive: true, withFileTypes: true })).filter((file) =>
    file.isFile(),
  );
  expect(stats).toEqual({
    backend: "local",
    objects: files.length,
    bytes: expect.any(Number),
    disk_free_bytes: expect.any(Number),
    disk_total_bytes: expect.any(Number),
  });
  await expectProblem(await api.call("/api/v1/admin/storage/stats"), 403, "forbidden");
});
