import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, freePort, type RunningProcess, startProcess, type TestDatabase } from "@scribe/testing";
import { collect, readSse } from "./read-sse.ts";
import { ADMIN_KEY, ENCRYPTION_KEY } from "./start-test-api.ts";
import { beginUpload, formBody, wavPart } from "./uploads.ts";

const ENTRY = resolve(import.meta.dirname, "../src/main.ts");

let database: TestDatabase;
let dataDir: string;
let running: RunningProcess | undefined;
beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await mkdtemp(join(tmpdir(), "scribe-api-"));
}, 60_000);
afterEach(async () => {
  await running?.kill();
});
afterAll(async () => {
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

function start(env: Record<string, string> = {}): RunningProcess {
  running = startProcess(ENTRY, {
    ...{ PORT: "0", METRICS_PORT: "0", HOST: "127.0.0.1", SHUTDOWN_GRACE_SECONDS: "5", SCRIBE_DATA_DIR: dataDir },
    ...{ DATABASE_URL: database.url, SCRIBE_ENCRYPTION_KEY: ENCRYPTION_KEY.toString("base64") },
    SCRIBE_ADMIN_KEY: ADMIN_KEY,
    ...env,
  });
  return running;
}

async function listening(api: RunningProcess): Promise<string> {
  const [, port] = await api.waitForOutput(/"port":(\d+)/, 30_000);
  return `http://127.0.0.1:${port}`;
}
const headers = { Authorization: `Bearer ${ADMIN_KEY}` };

describe("a start that cannot be", () => {
  test("a malformed admin key is an error that shows a well-formed one, and never the configured", async () => {
    const api = start({ SCRIBE_ADMIN_KEY: "sr_short_hunter2hunter2" });
    expect((await api.exit).code).toBe(1);
    expect(api.output()).toContain("sr_example1_xxxx");
    expect(api.output()).not.toContain("hunter2");
  });

  test("no database is an error that says how to get one", async () => {
    const api = start({ DATABASE_URL: "" });
    expect((await api.exit).code).toBe(1);
    expect(api.output()).toContain("DATABASE_URL");
  });

  test("a port that is taken is named with its setting", async () => {
    const url = await listening(start());
    const api = startProcess(ENTRY, {
      ...{ PORT: new URL(url).port, METRICS_PORT: "0", HOST: "127.0.0.1", SCRIBE_DATA_DIR: dataDir },
      ...{ DATABASE_URL: database.url, SCRIBE_ENCRYPTION_KEY: ENCRYPTION_KEY.toString("base64") },
    });
    expect((await api.exit).code).toBe(1);
    expect(api.output()).toMatch(/Port \d+ is in use by another program; PORT sets another/);
  });

  test("an admin key that takes another key's name is an error", async () => {
    await listening(start());
    const api = startProcess(ENTRY, {
      ...{ PORT: "0", METRICS_PORT: "0", HOST: "127.0.0.1", SCRIBE_DATA_DIR: dataDir },
      ...{ DATABASE_URL: database.url, SCRIBE_ENCRYPTION_KEY: ENCRYPTION_KEY.toString("base64") },
      SCRIBE_ADMIN_KEY: `sr_admin123_${"b".repeat(40)}`,
    });
    expect((await api.exit).code).toBe(1);
    expect(api.output()).not.toContain("bbbb");
  });

  test("a store without its bucket is an error", async () => {
    const api = start({ STORAGE_BACKEND: "s3" });
    expect((await api.exit).code).toBe(1);
    expect(api.output()).toContain("S3_BUCKET is required with STORAGE_BACKEND=s3");
  });
});

test("/metrics needs no key on its own port", async () => {
  const port = await freePort();
  await listening(start({ METRICS_PORT: String(port) }));
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.status).toBe(200);
  expect(await response.text()).toContain("process_resident_memory_bytes");
  expect((await fetch(`http://127.0.0.1:${port}/other`)).status).toBe(404);
});

describe("told to end", () => {
  test("it lets an upload finish, ends event streams with a hint, and exits with 0", async () => {
    const api = start();
    const url = await listening(api);
    const key = ADMIN_KEY;
    const accepted = await fetch(`${url}/api/v1/transcribe`, {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify({ url: "https://example.com/a.wav" }),
    });
    const { job_id } = (await accepted.json()) as { job_id: string };
    const stream = readSse(await fetch(`${url}/api/v1/jobs/${job_id}/events`, { headers }));
    await collect(stream, ({ event }) => event === "status");
    const upload = beginUpload({ url, key });
    const body = formBody([wavPart]);
    upload.sending.write(body.subarray(0, 20_000));
    await sleep(500);

    api.signal("SIGTERM");
    const last = (await collect(stream)).at(-1);
    expect(last).toMatchObject({ comment: "the server is going away", retry: "2000" });
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    upload.sending.end(body.subarray(20_000));
    expect((await upload.answer).status).toBe(202);
    expect((await api.exit).code).toBe(0);
  });

  test("where somebody probes, /ready says 503 before the door closes", async () => {
    const api = start();
    const url = await listening(api);
    await fetch(`${url}/ready`);
    await sleep(900);
    await fetch(`${url}/ready`);
    api.signal("SIGTERM");
    await sleep(300);
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, ((await ready.json()) as { status: string }).status]).toEqual([503, "draining"]);
    expect((await api.exit).code).toBe(0);
  });

  test("what does not end is cut when the grace is over; a second signal cuts it at once", async () => {
    for (const { grace, signals, within } of [
      { grace: "1", signals: 1, within: 4_000 },
      { grace: "60", signals: 2, within: 4_000 },
    ]) {
      const api = start({ SHUTDOWN_GRACE_SECONDS: grace });
      const url = await listening(api);
      const upload = beginUpload({ url, key: ADMIN_KEY });
      upload.sending.write(formBody([wavPart]).subarray(0, 20_000));
      await sleep(500);
      const startedAt = Date.now();
      for (let i = 0; i < signals; i++) {
        api.signal("SIGTERM");
        await sleep(100);
      }
      expect((await api.exit).code).toBe(0);
      expect(Date.now() - startedAt).toBeLessThan(within);
      await expect(upload.answer).rejects.toThrow();
    }
  });
});
