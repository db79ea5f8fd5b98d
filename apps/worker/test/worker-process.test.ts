import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { makeWav, type RunningProcess, startProcess, tone, waitFor } from "@scribe/testing";
import { FAIL_POINTS } from "../src/fail-point.ts";
import { ENCRYPTION_KEY, openWorkerBox, type WorkerBox } from "./worker-box.ts";

const MAIN = resolve(import.meta.dirname, "../src/main.ts");

let box: WorkerBox;
let data: string;
const running: RunningProcess[] = [];

beforeAll(async () => {
  box = await openWorkerBox();
  data = await mkdtemp(join(tmpdir(), "scribe-process-"));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((worker) => worker.kill()));
});
afterAll(async () => {
  await rm(data, { recursive: true, force: true });
  await box.close();
});

const env = (changes: Record<string, string> = {}) => ({
  DATABASE_URL: box.url,
  SCRIBE_ENCRYPTION_KEY: ENCRYPTION_KEY.toString("base64"),
  SCRIBE_DATA_DIR: data,
  AUDIO_STORAGE_PATH: join(box.folder, "audio"),
  SCRIBE_ENABLE_SYNTHETIC: "true",
  WORKER_PORT: "0",
  WORKER_CONCURRENCY: "2",
  LEASE_SECONDS: "1",
  SWEEP_INTERVAL_SECONDS: "1",
  SHUTDOWN_GRACE_SECONDS: "0",
  ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8",
  ...changes,
});

/** A worker as a process of its own; `port` is that of its health server. */
async function startWorker(changes: Record<string, string> = {}) {
  const worker = startProcess(MAIN, env(changes));
  running.push(worker);
  const [, port] = await worker.waitForOutput(/"port":(\d+).*the worker is up/);
  return { worker, url: `http://127.0.0.1:${port}` };
}

const SCRIPT = { audio: false, windows: 6, window_seconds: 10, delay_ms: 120, text: "Window {n}." };
const SAID = "Window 1. Window 2. Window 3. Window 4. Window 5. Window 6.";

const ended = (id: string, status = "completed") =>
  waitFor(async () => (await box.row(id)).status === status, { timeoutMs: 20_000, what: `${id} ${status}` });
const started = (id: string) =>
  waitFor(async () => (await box.jobs.segments(id)).length > 0, { timeoutMs: 15_000, what: `${id} to start` });

describe("a worker process", () => {
  test("that is killed in the middle of a job is followed by another, with the same transcript", async () => {
    const first = await startWorker();
    const { id } = await box.create(SCRIPT);
    await started(id);
    await first.worker.kill();
    expect((await box.row(id)).status).toBe("processing");
    await startWorker();
    await ended(id);
    const transcript = await box.jobs.transcript(id);
    expect(transcript!.text).toBe(SAID);
    expect(transcript!.segments.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5]);
    const segments = (await box.jobs.events(id, 0, 100)).filter(({ type }) => type === "segment");
    expect(segments.map(({ data }) => data.id)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await box.row(id)).toMatchObject({ attempts: 0 });
  });

  test("may die at any named step: the transcript is the same, and no file stays behind", async () => {
    const audio = makeWav({ seconds: 6, signal: tone(440) });
    const script = { window_seconds: 1, text: SCRIPT.text };
    const jobs: string[] = [];
    for (const point of FAIL_POINTS) {
      const { id } = await box.upload(audio, script);
      jobs.push(id);
      const { worker } = await startWorker({ SCRIBE_FAILPOINTS: `${point}#1`, LEASE_SECONDS: "600" });
      expect(await worker.exit).toMatchObject({ signal: "SIGKILL" });
      // Time passes; nobody else takes it before.
      await box.db.pool.query(
        "UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1 AND lease_until IS NOT NULL",
        [id],
      );
      await box.db.pool.query("UPDATE jobs SET next_run_at = now() + interval '1 hour' WHERE id = $1", [id]);
    }
    await box.db.pool.query("UPDATE jobs SET next_run_at = now()");
    const { worker } = await startWorker();
    for (const id of jobs) await ended(id);
    for (const id of jobs) {
      expect((await box.jobs.transcript(id))!.text).toBe(SAID);
      expect(await box.row(id)).toMatchObject({ attempts: 0, warnings: [] });
    }
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(await readdir(join(data, "tmp"))).toEqual([]);
  });

  test("hands back at SIGTERM what it cannot end in time, uncharged, and says so to probes first", async () => {
    const { worker, url } = await startWorker({ SHUTDOWN_GRACE_SECONDS: "1" });
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    const short = await box.create({ ...SCRIPT, delay_ms: 60 });
    const long = await box.create({ ...SCRIPT, delay_ms: 1000 });
    await started(short.id);
    await started(long.id);
    worker.signal("SIGTERM");
    await waitFor(async () => (await fetch(`${url}/ready`)).status === 503);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(await worker.exit).toEqual({ code: 0, signal: null });
    expect((await box.row(short.id)).status).toBe("completed");
    const row = await box.row(long.id);
    expect(row).toMatchObject({ status: "processing", phase: "queued", attempts: 0, crashes: 0 });
    expect(row.checkpoint).not.toBeNull();
    await startWorker();
    await ended(long.id);
    expect((await box.jobs.transcript(long.id))!.text).toBe(SAID);
  });

  test("does not wait out its grace when it is told twice", async () => {
    const { worker } = await startWorker({ SHUTDOWN_GRACE_SECONDS: "60" });
    const { id } = await box.create({ ...SCRIPT, windows: 1000 });
    await started(id);
    const before = performance.now();
    worker.signal("SIGTERM");
    await worker.waitForOutput(/work goes on for a while/);
    worker.signal("SIGTERM");
    expect(await worker.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - before).toBeLessThan(5000);
    expect(await box.row(id)).toMatchObject({ status: "processing", phase: "queued", attempts: 0 });
    await box.jobs.cancel(id);
  });

  test("that wakes from a pause finds out that its job has gone to another, and writes nothing", async () => {
    const sleeper = await startWorker();
    const { id } = await box.create({ ...SCRIPT, delay_ms: 300 });
    await started(id);
    sleeper.worker.signal("SIGSTOP");
    const { worker } = await startWorker();
    await ended(id);
    sleeper.worker.signal("SIGCONT");
    await sleeper.worker.waitForOutput(/lease is lost|the work stops/);
    expect((await box.jobs.transcript(id))!.text).toBe(SAID);
    expect(worker.output()).not.toContain("lease is lost");
  });

  test("counts as one that enhances only where it knows whom to ask", async () => {
    const roles = async (worker: RunningProcess) => {
      const [, id] = worker.output().match(/"workerId":"([^"]+)"/)!;
      const { rows } = await box.db.pool.query<{ roles: string[] }>("SELECT roles FROM workers WHERE id = $1", [id]);
      return rows[0]!.roles;
    };
    const both = { WORKER_ROLES: "webhooks,enhancement" };
    const chat = { ENHANCED_AI_BASE_URL: "http://127.0.0.1:9/v1", ENHANCED_AI_MODEL: "none" };
    const [without, with_] = await Promise.all([startWorker(both), startWorker({ ...both, ...chat })]);
    expect(await roles(without.worker)).toEqual(["webhooks"]);
    expect(await roles(with_.worker)).toEqual(["webhooks", "enhancement"]);
  });

  test("without a database of its own says what it needs", async () => {
    const worker = startProcess(MAIN, { SCRIBE_DATA_DIR: data });
    expect(await worker.exit).toMatchObject({ code: 1 });
    expect(worker.output()).toContain("DATABASE_URL");
  });
});
