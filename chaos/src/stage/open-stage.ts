import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { migrateDatabase } from "@scribe/database";
import {
  freePort,
  makeWav,
  type Receiver,
  type RunningProcess,
  sampleDialogue,
  startFileServer,
  startProcess,
  startReceiver,
  startTestRedis,
  type TestRedis,
  tone,
  waitFor,
} from "@scribe/testing";
import { Pool } from "pg";
import { type StagePostgres, startStagePostgres } from "./postgres.ts";

const APPS = resolve(import.meta.dirname, "../../../apps");
const API = join(APPS, "api/src/main.ts");
const WORKER = join(APPS, "worker/src/main.ts");
const START_LIMIT_MS = 60_000;

export const LEASE_SECONDS = 2;
export const SWEEP_SECONDS = 2;

export type Backend = "redis" | "postgres";

export interface StageOptions {
  backend: Backend;
  /** Of Redis. */
  persistence?: "none" | "aof";
  workers: number;
  apis?: number;
  env?: Record<string, string>;
}

export interface Stage {
  backend: Backend;
  key: string;
  /** Of the API replicas. */
  urls: string[];
  apis: RunningProcess[];
  /** Those that should live now, by their place. */
  workers: RunningProcess[];
  postgres: StagePostgres;
  redis: TestRedis | null;
  receiver: Receiver;
  /** Address of a short recording. */
  audioUrl: string;
  /** Address of the sample's dialogue. */
  dialogueUrl: string;
  /** Straight at the database, for what no door shows. */
  pool: Pool;
  dataDir: string;
  env: Record<string, string>;
  startApi(place: number): Promise<void>;
  startWorker(place: number, options?: WorkerOptions): Promise<RunningProcess>;
  /** Calls a replica with the stage's key. */
  call(path: string, init?: RequestInit, replica?: number): Promise<Response>;
  /** The sum of a metric over the workers that live now. */
  workerMetric(name: string): Promise<number>;
  /** Process groups of everything that was ever started: whoever is left of them at the end is an orphan. */
  groups: Set<number>;
  close(): Promise<void>;
}

export interface WorkerOptions {
  env?: Record<string, string>;
  nodeArgs?: string[];
  /** Does not wait until it is up. */
  atOnce?: boolean;
}

/** Servers, API replicas and workers as processes of their own, on free ports, in a folder of their own. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const { backend, workers: workerCount, apis: apiCount = 1 } = options;
  const dataDir = mkdtempSync(join(tmpdir(), "scribe-chaos-"));
  const postgres = await startStagePostgres();
  await migrateDatabase({ url: postgres.url });
  const redis = backend === "redis" ? await startTestRedis({ persistence: options.persistence ?? "none" }) : null;
  const receiver = await startReceiver();
  const files = await startFileServer();
  const audioUrl = files.serve("talk.wav", makeWav({ seconds: 4, signal: tone(440) }));
  const dialogueUrl = files.serve("dialogue.wav", sampleDialogue().bytes);
  const key = `sr_chaos000_${randomBytes(20).toString("hex")}`;
  const env: Record<string, string> = {
    DATABASE_URL: postgres.url,
    ...(redis && { REDIS_URL: redis.url }),
    SCRIBE_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
    SCRIBE_ADMIN_KEY: key,
    SCRIBE_DATA_DIR: dataDir,
    SCRIBE_ENABLE_SYNTHETIC: "true",
    ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8",
    HOST: "127.0.0.1",
    METRICS_PORT: "0",
    LEASE_SECONDS: String(LEASE_SECONDS),
    SWEEP_INTERVAL_SECONDS: String(SWEEP_SECONDS),
    WORKER_CONCURRENCY: "4",
    SHUTDOWN_GRACE_SECONDS: "1",
    RATE_LIMIT_READS: "10000000",
    RATE_LIMIT_CREATES: "10000000",
    WEBHOOK_RETRY_SCHEDULE: "1,1,1,2,2,2,5,5,5,5,5,5,5,5,5",
    ...options.env,
  };
  const pool = new Pool({ connectionString: postgres.url, max: 4, connectionTimeoutMillis: 5_000 });
  pool.on("error", () => undefined);
  const ports = await Promise.all(Array.from({ length: apiCount }, () => freePort()));
  const workerPorts = await Promise.all(Array.from({ length: workerCount }, () => freePort()));
  const groups = new Set<number>();

  const stage: Stage = {
    ...{
      backend,
      key,
      apis: [],
      workers: [],
      postgres,
      redis,
      receiver,
      audioUrl,
      dialogueUrl,
      pool,
      dataDir,
      env,
      groups,
    },
    urls: ports.map((port) => `http://127.0.0.1:${port}`),
    async startApi(place) {
      const api = startProcess(API, { ...env, PORT: String(ports[place]) });
      groups.add(api.pid);
      stage.apis[place] = api;
      const ready = async () => (await fetch(`${stage.urls[place]}/ready`, { signal: AbortSignal.timeout(2_000) })).ok;
      await waitFor(ready, { timeoutMs: START_LIMIT_MS, what: `API ${place}` }).catch((error: Error) => {
        throw new Error(`${error.message}\n${api.output().slice(-2000)}`);
      });
    },
    async startWorker(place, { env: more = {}, nodeArgs = [], atOnce = false } = {}) {
      const port = String(workerPorts[place]);
      const worker = startProcess(WORKER, { ...env, WORKER_PORT: port, ...more }, { nodeArgs });
      groups.add(worker.pid);
      stage.workers[place] = worker;
      if (!atOnce) await worker.waitForOutput(/the worker is up/, START_LIMIT_MS);
      return worker;
    },
    call: (path, init = {}, replica = 0) =>
      fetch(stage.urls[replica % apiCount] + path, {
        signal: AbortSignal.timeout(20_000),
        ...init,
        headers: { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) },
      }),
    async workerMetric(name) {
      let sum = 0;
      for (const port of workerPorts) {
        const text = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2_000) })
          .then((response) => response.text())
          .catch(() => "");
        for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "gm")))
          sum += Number(value);
      }
      return sum;
    },
    async close() {
      await Promise.all([...stage.workers, ...stage.apis].map((child) => child.kill()));
      await pool.end();
      await receiver.stop();
      await files.stop();
      await redis?.stop();
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all([
      ...ports.map((_, place) => stage.startApi(place)),
      ...workerPorts.map((_, place) => stage.startWorker(place)),
    ]);
    return stage;
  } catch (error) {
    await stage.close();
    throw error;
  }
}
