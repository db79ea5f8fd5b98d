import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { migrateDatabase, migrationStatus } from "@scribe/database";
import {
  createTestDatabase,
  freePort,
  type Receiver,
  type RunningProcess,
  startProcess,
  startReceiver,
  type TestDatabase,
  waitFor,
} from "@scribe/testing";
import { type CheckOut, checkOut } from "./check-out-before.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const KEY = `sr_Abcd1234_${randomBytes(16).toString("hex")}`;
const START_LIMIT_MS = 60_000;

interface Job {
  status: string;
  attempts: number;
  result?: { segments: { text: string }[] };
}

interface Running {
  url: string;
  process: RunningProcess;
  stop(): Promise<void>;
}

let before: CheckOut;
let database: TestDatabase;
let receiver: Receiver;
let dataDir: string;
let shared: Record<string, string>;
const running = new Set<Running>();

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "scribe-upgrade-"));
  const commit = execFileSync(process.execPath, [join(ROOT, "scripts/version-before.mjs")], {
    encoding: "utf8",
  }).trim();
  before = checkOut(commit);
  [database, receiver] = await Promise.all([createTestDatabase({ migrate: null }), startReceiver()]);
  shared = {
    DATABASE_URL: database.url,
    SCRIBE_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
    SCRIBE_ADMIN_KEY: KEY,
    AUDIO_STORAGE_PATH: join(dataDir, "audio"),
    HOST: "127.0.0.1",
    METRICS_PORT: "0",
    ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8",
    SCRIBE_ENABLE_SYNTHETIC: "true",
    SCRIBE_MODEL: "whisper-nano.en",
    HF_HUB_OFFLINE: "true",
    SHUTDOWN_GRACE_SECONDS: "0",
    SWEEP_INTERVAL_SECONDS: "1",
    LOG_LEVEL: "warn",
  };
}, START_LIMIT_MS);

afterAll(async () => {
  await Promise.all([...running].map((one) => one.process.kill()));
  await Promise.all([database?.drop(), receiver?.stop()]);
  before?.remove();
  rmSync(dataDir, { recursive: true, force: true });
}, START_LIMIT_MS);

async function start(folder: string, app: "api" | "worker"): Promise<Running> {
  const port = String(await freePort());
  const process = startProcess(join(folder, `apps/${app}/src/main.ts`), {
    ...shared,
    SCRIBE_DATA_DIR: mkdtempSync(join(dataDir, `${app}-`)),
    ...(app === "api" ? { PORT: port } : { WORKER_PORT: port }),
  });
  const url = `http://127.0.0.1:${port}`;
  const one: Running = {
    url,
    process,
    async stop() {
      running.delete(one);
      await process.stop();
    },
  };
  running.add(one);
  const ready = async () => (await fetch(`${url}/ready`, { signal: AbortSignal.timeout(5000) })).ok || null;
  const ended = process.exit.then(() => Promise.reject(new Error(`${app} of ${folder} ended:\n${process.output()}`)));
  ended.catch(() => {});
  await Promise.race([waitFor(ready, { timeoutMs: START_LIMIT_MS, what: `${app} of ${folder}` }), ended]);
  return one;
}

async function call(api: Running, path: string, body?: object): Promise<Job & { job_id: string }> {
  const response = await fetch(`${api.url}/api/v1${path}`, {
    ...(body && { method: "POST", body: JSON.stringify(body) }),
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    signal: AbortSignal.timeout(10_000),
  });
  const answer = (await response.json()) as Job & { job_id: string };
  expect([response.status, answer]).toEqual([body ? 202 : 200, answer]);
  return answer;
}

async function submit(api: Running, script: object = {}): Promise<string> {
  const synthetic = JSON.stringify({ audio: false, windows: 3, ...script });
  const source = { url: "https://example.com/none.wav", engine: "synthetic", metadata: { synthetic } };
  return (await call(api, "/transcribe", { ...source, webhook_url: `${receiver.url}/hook` })).job_id;
}

/** Waits for the job's end and its webhook. */
async function completed(api: Running, id: string, windows = 3): Promise<Job> {
  const end = async () => {
    const job = await call(api, `/jobs/${id}`);
    return /completed|failed/.test(job.status) ? job : null;
  };
  const job = await waitFor(end, { timeoutMs: 20_000, what: `the end of ${id}` });
  expect(job).toMatchObject({ status: "completed", attempts: 0 });
  expect(new Set(job.result!.segments.map(({ text }) => text)).size).toBe(windows);
  const told = () => receiver.requests.some((request) => request.body.toString().includes(id));
  await waitFor(told, { timeoutMs: 20_000, what: `the webhook of ${id}` });
  return job;
}

/** One upgrade and one way back, in the order of docs/upgrade.md; each step goes on with what the one before left running. */
describe("while the version before is replaced", () => {
  let oldApi: Running;
  let oldWorker: Running;
  let api: Running;
  let worker: Running;

  test(
    "it runs by itself, on the schema of its time",
    async () => {
      oldApi = await start(before.folder, "api");
      oldWorker = await start(before.folder, "worker");
      await completed(oldApi, await submit(oldApi));
      expect((await migrationStatus({ url: database.url })).pending.length).toBeGreaterThan(0);
    },
    START_LIMIT_MS,
  );

  test(
    "it goes on while the database is migrated under it",
    async () => {
      const id = await submit(oldApi, { windows: 8, delay_ms: 300 });
      const { applied } = await migrateDatabase({ url: database.url });
      expect(applied.length).toBeGreaterThan(0);
      await completed(oldApi, id, 8);
      await completed(oldApi, await submit(oldApi));
    },
    START_LIMIT_MS,
  );

  test(
    "its worker does the jobs of today's API",
    async () => {
      api = await start(ROOT, "api");
      await oldApi.stop();
      await completed(api, await submit(api));
    },
    START_LIMIT_MS,
  );

  test(
    "today's worker goes on where the worker before was stopped",
    async () => {
      const id = await submit(api, { windows: 12, delay_ms: 300 });
      await waitFor(async () => (await call(api, `/jobs/${id}`)).status === "processing", { timeoutMs: 10_000 });
      worker = await start(ROOT, "worker");
      await oldWorker.stop();
      await completed(api, id, 12);
    },
    START_LIMIT_MS,
  );

  test(
    "the way back: its API gives jobs to today's worker, and reads what that made",
    async () => {
      oldApi = await start(before.folder, "api");
      await completed(oldApi, await submit(oldApi));
      await worker.stop();
    },
    START_LIMIT_MS,
  );

  test(
    "and all of it is the version before again, on today's schema",
    async () => {
      oldWorker = await start(before.folder, "worker");
      await completed(oldApi, await submit(oldApi));
      expect(await migrationStatus({ url: database.url })).toMatchObject({ pending: [], drift: null });
    },
    START_LIMIT_MS,
  );
});
