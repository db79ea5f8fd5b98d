import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { METRICS, type MetricDefinition } from "@scribe/telemetry";
import {
  createTestDatabase,
  freePort,
  makeWav,
  sampleDialogue,
  startChatStandIn,
  startReceiver,
  startTestRedis,
  startTestStack,
  tone,
  waitFor,
} from "@scribe/testing";
import { metricOf, readSamples } from "./read-samples.ts";

const JOBS = 200;

const ONLY_FAULTS = ["scribe_http_uncounted_requests_total", "scribe_event_streams_dropped_total"];
/** What a load without faults need not move; the catalogue says of each why. */
const RESTING = new Set([
  ...ONLY_FAULTS,
  ...["scribe_worker_slots", "scribe_worker_speech_deaths_total", "scribe_worker_gpu_memory_bytes"],
  ...["scribe_workers", "scribe_target_wait_seconds", "scribe_dependency_up", "scribe_disk_bytes", "scribe_build_info"],
  "process_start_time_seconds",
]);

const cleanUp: (() => unknown)[] = [];
let call: Awaited<ReturnType<typeof startTestStack>>["call"];
let url: string;
let receiverUrl: string;
let sql: (text: string) => void;
let flushRedis: () => void;
let scrape: () => Promise<{ api: string; worker: string }>;

beforeAll(async () => {
  const [database, redis, receiver, chat, metricsPort, workerPort] = await Promise.all([
    createTestDatabase(),
    startTestRedis(),
    startReceiver(),
    startChatStandIn(),
    freePort(),
    freePort(),
  ]);
  cleanUp.push(
    () => database.drop(),
    () => redis.stop(),
    () => receiver.stop(),
    () => chat.stop(),
  );
  const programs = mkdtempSync(join(tmpdir(), "scribe-programs-"));
  cleanUp.push(() => rmSync(programs, { recursive: true, force: true }));
  // A stand-in of nvidia-smi, whose figures move with the clock.
  writeFileSync(
    join(programs, "nvidia-smi"),
    '#!/bin/sh\nn=$(date +%s)\necho "0, $((n % 1000 + 100)), 16384, $((n % 100))"\necho "1, [N/A], [N/A], [N/A]"\n',
  );
  chmodSync(join(programs, "nvidia-smi"), 0o755);
  const stack = await startTestStack({
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    SCRIBE_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
    METRICS_PORT: String(metricsPort),
    WORKER_PORT: String(workerPort),
    PATH: `${programs}:${process.env.PATH}`,
    WORKER_CONCURRENCY: "8",
    LEASE_SECONDS: "2",
    SWEEP_INTERVAL_SECONDS: "1",
    RATE_LIMIT_ANONYMOUS: "3",
    ACCOUNTS: "on",
    JWT_SECRET: randomBytes(32).toString("base64"),
    ENHANCED_AI_BASE_URL: chat.baseUrl,
    ENHANCED_AI_MODEL: "stand-in",
    LOG_LEVEL: "error",
  });
  cleanUp.unshift(() => stack.stop());
  ({ call, url } = stack);
  receiverUrl = receiver.url;
  sql = (text) => void execFileSync("psql", ["--quiet", database.url, "--command", text]);
  flushRedis = () => void execFileSync("redis-cli", ["-u", redis.url, "FLUSHALL"], { stdio: "ignore" });
  const read = async (port: number) =>
    await (await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
  scrape = async () => ({ api: await read(metricsPort), worker: await read(workerPort) });
}, 90_000);

afterAll(async () => {
  for (const step of cleanUp) await step();
}, 60_000);

const submit = async (script: object, fields: object = {}) => {
  const response = await call("/api/v1/transcribe", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      url: "http://127.0.0.1:9/none.wav",
      engine: "synthetic",
      metadata: { synthetic: JSON.stringify({ audio: false, windows: 2, ...script }) },
      ...fields,
    }),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as { job_id: string }).job_id;
};

const upload = async (bytes: Uint8Array, fields: Record<string, string>) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set("file", new Blob([bytes as Uint8Array<ArrayBuffer>]), "sound.wav");
  const response = await call("/api/v1/transcribe/upload", { method: "POST", body: form });
  expect(response.status).toBe(202);
  return ((await response.json()) as { job_id: string }).job_id;
};

test(`a load of ${JOBS} jobs moves every documented metric, and shows no other`, async () => {
  const scrapes = [await scrape()];
  // Long enough to be under way at a scrape: one is taken from its worker, one is watched.
  const watched = await submit({ windows: 30, delay_ms: 500 });
  const stream = await call(`/api/v1/jobs/${watched}/events`);
  await waitFor(async () => ((await status(watched)) === "processing" ? true : null), {
    timeoutMs: 20_000,
    what: "work",
  });
  scrapes.push(await scrape());
  sql(`UPDATE jobs SET lease_epoch = lease_epoch + 1 WHERE id = '${watched}'`);

  const many = Array.from({ length: JOBS }, (_, n) =>
    submit(
      { delay_ms: n % 3 === 0 ? 50 : 0, ...(n === 7 && { fail_at: 0, error_code: "unsupported_audio" }) },
      {
        priority: ["high", "normal", "low"][n % 3],
        ...(n % 4 === 0 && { webhook_url: `${receiverUrl}/hook` }),
      },
    ),
  );
  const ids = await Promise.all(many);
  scrapes.push(await scrape());
  // The messages of what waits are lost; the sweep sends them again.
  for (let n = 0; n < 24; n++) ids.push(await submit({ windows: 2, delay_ms: 400 }));
  flushRedis();
  const enhance = JSON.stringify({ tasks: ["summary"] });
  ids.push(await upload(sampleDialogue().bytes, { model: "whisper-nano.en", enhance }));
  ids.push(await upload(makeWav({ seconds: 2, signal: tone(300) }), { engine: "synthetic" }));
  await logInAsNobody();
  for (let n = 0; n < 5; n++) await fetch(`${url}/api/v1/jobs`);
  for (const id of [watched, ...ids]) {
    await waitFor(async () => (/completed|failed/.test(await status(id)) ? true : null), {
      timeoutMs: 60_000,
      what: `the end of ${id}`,
    });
    if (scrapes.length < 12) scrapes.push(await scrape());
  }
  await stream.body?.cancel();
  const last = [
    /^scribe_dispatcher_repairs_total\{queue="transcription"\} [1-9]/m,
    /^scribe_worker_enhancements_total\{outcome="completed"\} 1$/m,
  ];
  await waitFor(
    async () => {
      scrapes.push(await scrape());
      const { api, worker } = scrapes.at(-1)!;
      return last.every((pattern) => pattern.test(`${api}\n${worker}`)) ? true : null;
    },
    { timeoutMs: 20_000, what: "a repair, and an enhancement" },
  );

  const shown = new Set<string>();
  const moved = new Set<string>();
  for (const process of ["api", "worker"] as const) {
    const first = new Map<string, number>();
    for (const text of scrapes.map((both) => both[process])) {
      const { types, samples } = readSamples(text);
      for (const [name, type] of types) {
        expect([name, (METRICS as Record<string, MetricDefinition>)[name]?.type]).toEqual([name, type]);
      }
      for (const [sample, value] of samples) {
        const name = metricOf(sample, types);
        shown.add(name);
        if (first.has(sample) && first.get(sample) !== value) moved.add(name);
        // One with labels moves when it appears.
        if (!first.has(sample) && scrapes[0]![process] !== text && value !== 0) moved.add(name);
        if (!first.has(sample)) first.set(sample, value);
      }
    }
  }
  expect(Object.keys(METRICS).filter((name) => !moved.has(name) && !RESTING.has(name))).toEqual([]);
  for (const name of RESTING)
    expect([name, (METRICS as Record<string, MetricDefinition>)[name]?.steady]).not.toContain(undefined);
  // What a fault alone would show may be missing; everything else is there.
  expect(Object.keys(METRICS).filter((name) => !shown.has(name) && !ONLY_FAULTS.includes(name))).toEqual([]);
}, 180_000);

/** Fails, as it should. */
async function logInAsNobody(): Promise<void> {
  const response = await fetch(`${url}/api/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "nobody@example.com", password: "a sentence of nobody" }),
  });
  expect(response.status).toBe(401);
}

test("promtool finds nothing to object to in what the processes show", async () => {
  for (const [process, text] of Object.entries(await scrape())) {
    const {
      stdout,
      stderr,
      status: code,
    } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    expect([process, stdout + stderr, code]).toEqual([process, "", 0]);
  }
}, 30_000);

async function status(id: string): Promise<string> {
  return ((await (await call(`/api/v1/jobs/${id}?result=false`)).json()) as { status: string }).status;
}
