import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createKey, ensureTenant, migrateDatabase, openDatabase, startEmbeddedPostgres } from "@scribe/database";
import { freePort, type RunningProcess, startProcess, startReceiver, startTestRedis } from "@scribe/testing";
import { printTable } from "../print-table.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const PROCESSES = { api: "apps/api/src/main.ts", worker: "apps/worker/src/main.ts" };

/** Of the disk that the transcribing worker gets for itself. */
const DISK_MEBIBYTES = 64;

/** What `for:` and windows become, so that minutes are seconds. */
const SHORT_FOR = "6s";
const SHORT_WINDOW = "[20s]";

const ALERT_LIMIT_MS = 90_000;
/** Starting processes are down for a moment. */
const QUIET_MS = 10_000;

/**
 * A stack of its own under Debian's Prometheus, scraped and evaluated each second with the real rules, their times
 * shortened. Each fault is made for real, and Prometheus' own list of alerts must name it, and no longer after the cure.
 */
export async function liveAlerts(): Promise<void> {
  const cleanUp: (() => unknown)[] = [];
  try {
    await rehearse(cleanUp);
  } finally {
    for (const step of cleanUp.reverse()) await step();
  }
}

async function rehearse(cleanUp: (() => unknown)[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "scribe-alerts-"));
  cleanUp.push(() => rmSync(folder, { recursive: true, force: true }));
  const redis = await startTestRedis();
  cleanUp.push(() => redis.stop());
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, "data") });
  cleanUp.push(() => postgres.stop());
  const receiver = await startReceiver();
  cleanUp.push(() => receiver.stop());
  const prepared = await prepareDatabase(postgres.url);
  const disk = mountDisk(join(folder, "disk"), cleanUp);
  const ports = {
    api: await freePort(),
    apiMetrics: await freePort(),
    keeper: await freePort(),
    worker: await freePort(),
  };
  const env = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    SCRIBE_ENCRYPTION_KEY: prepared.encryptionKey,
    SCRIBE_ENABLE_SYNTHETIC: "true",
    ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8",
    AUDIO_STORAGE_PATH: join(folder, "audio"),
    HOST: "127.0.0.1",
    PORT: String(ports.api),
    METRICS_PORT: String(ports.apiMetrics),
    LEASE_SECONDS: "3",
    SWEEP_INTERVAL_SECONDS: "1",
    SHUTDOWN_GRACE_SECONDS: "1",
    WEBHOOK_RETRY_SCHEDULE: Array(60).fill("1").join(","),
    LOG_LEVEL: "error",
  };
  mkdirSync(join(folder, "audio"), { recursive: true });
  const start = (name: keyof typeof PROCESSES, more: Record<string, string>): RunningProcess => {
    const child = startProcess(join(ROOT, PROCESSES[name]), { ...env, ...more });
    cleanUp.push(() => child.kill());
    return child;
  };
  start("api", { SCRIBE_DATA_DIR: join(folder, "api") });
  start("worker", {
    SCRIBE_DATA_DIR: join(folder, "keeper"),
    WORKER_ROLES: "webhooks,maintenance",
    WORKER_PORT: String(ports.keeper),
  });
  const startTranscriber = () =>
    start("worker", {
      SCRIBE_DATA_DIR: join(disk, "data"),
      WORKER_ROLES: "transcription",
      WORKER_PORT: String(ports.worker),
    });
  let transcriber = startTranscriber();
  const alerts = await startPrometheus(folder, ports, cleanUp);

  const submit = async (fields: object = {}) => {
    const response = await fetch(`http://127.0.0.1:${ports.api}/api/v1/transcribe`, {
      method: "POST",
      headers: { authorization: `Bearer ${prepared.key}`, "content-type": "application/json" },
      body: JSON.stringify({
        url: "http://127.0.0.1:9/none.wav",
        engine: "synthetic",
        metadata: { synthetic: JSON.stringify({ audio: false, windows: 1 }) },
        ...fields,
      }),
      signal: AbortSignal.timeout(10_000),
    });
    await response.body?.cancel();
    return response.status;
  };

  const rows: { fault: string; alert: string; seconds: string; gone: string }[] = [];
  const note = (row: (typeof rows)[number]) => {
    rows.push(row);
    console.error(`${row.fault}: ${row.alert} after ${row.seconds} s, gone after ${row.gone} s`);
  };
  const seconds = async (until: () => Promise<boolean>, what: string): Promise<string> => {
    const startedAt = performance.now();
    while (!(await until())) {
      if (performance.now() - startedAt > ALERT_LIMIT_MS) {
        throw new Error(`${what} did not come; firing are: ${[...(await alerts())].join(", ") || "none"}`);
      }
      await sleep(250);
    }
    return ((performance.now() - startedAt) / 1000).toFixed(1);
  };
  const fires = (alert: string) => seconds(async () => (await alerts()).has(alert), alert);
  const ends = (alert: string) => seconds(async () => !(await alerts()).has(alert), `the end of ${alert}`);

  await seconds(async () => (await submit().catch(() => 0)) === 202, "the stack");
  let quietSince = performance.now();
  await seconds(async () => {
    if ((await alerts()).size > 0) quietSince = performance.now();
    return performance.now() - quietSince > QUIET_MS;
  }, "silence");
  // A service that is well stays silent.
  for (let n = 0; n < 20; n++) {
    await submit({ webhook_url: `${receiver.url}/hook` });
    await sleep(500);
    const firing = [...(await alerts())];
    if (firing.length > 0) throw new Error(`Nothing is wrong, and yet: ${firing.join(", ")}`);
  }
  note({ fault: "none, for ten seconds", alert: "none", seconds: "-", gone: "-" });

  receiver.answer(() => ({ status: 500 }));
  for (let n = 0; n < 10; n++) await submit({ webhook_url: `${receiver.url}/hook` });
  const failing = await fires("ScribeWebhooksFailing");
  receiver.answer(() => ({ status: 200 }));
  note({
    fault: "a webhook receiver is dead",
    alert: "ScribeWebhooksFailing",
    seconds: failing,
    gone: await ends("ScribeWebhooksFailing"),
  });

  const ballast = join(disk, "ballast");
  // It ends with the disk.
  spawnSync("dd", ["if=/dev/zero", `of=${ballast}`, "bs=1M", `count=${DISK_MEBIBYTES * 2}`]);
  const full = await fires("ScribeDiskFull");
  rmSync(ballast);
  note({
    fault: "a worker's disk is full",
    alert: "ScribeDiskFull",
    seconds: full,
    gone: await ends("ScribeDiskFull"),
  });

  await transcriber.kill();
  const down = await fires("ScribeWorkerDown");
  await submit();
  const none = await fires("ScribeNoTranscriptionWorker");
  transcriber = startTranscriber();
  note({
    fault: "the worker is killed",
    alert: "ScribeWorkerDown",
    seconds: down,
    gone: await ends("ScribeWorkerDown"),
  });
  note({
    fault: "… and it was the only one",
    alert: "ScribeNoTranscriptionWorker",
    seconds: none,
    gone: await ends("ScribeNoTranscriptionWorker"),
  });

  await redis.kill();
  const redisDown = await fires("ScribeRedisDown");
  await redis.restart();
  note({ fault: "Redis is killed", alert: "ScribeRedisDown", seconds: redisDown, gone: await ends("ScribeRedisDown") });

  const [postmaster] = readFileSync(join(prepared.dataDirectory, "postmaster.pid"), "utf8").split("\n");
  process.kill(Number(postmaster), "SIGQUIT");
  note({
    fault: "Postgres is killed",
    alert: "ScribePostgresDown",
    seconds: await fires("ScribePostgresDown"),
    gone: "-",
  });
  note({ fault: "…", alert: "ScribeMaintenanceMissing", seconds: await fires("ScribeMaintenanceMissing"), gone: "-" });

  printTable(
    ["fault", "alert", "fires after (s)", "gone after the cure (s)"],
    rows.map((row) => [row.fault, row.alert, row.seconds, row.gone]),
  );
  console.log(`\nScraped and evaluated each second; every \`for:\` is ${SHORT_FOR}, every window ${SHORT_WINDOW}.`);
}

async function prepareDatabase(url: string) {
  await migrateDatabase({ url });
  const encryptionKey = randomBytes(32);
  const db = openDatabase({ url, poolSize: 2, encryptionKey, applicationName: "bench" });
  const tenant = await ensureTenant(db, "default");
  const { key } = await createKey(db, { tenantId: tenant.id, name: "bench", scopes: ["transcribe"] });
  const { rows } = await db.pool.query<{ data_directory: string }>("SHOW data_directory");
  await db.close();
  return { key, encryptionKey: encryptionKey.toString("base64"), dataDirectory: rows[0]!.data_directory };
}

/** A small disk of its own, where we may mount one. */
function mountDisk(path: string, cleanUp: (() => unknown)[]): string {
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MEBIBYTES}m`, "none", path]);
  cleanUp.push(() => execFileSync("umount", ["--lazy", path]));
  return path;
}

type Ports = { apiMetrics: number; keeper: number; worker: number };

/** Starts `prometheus` with the rules in short; answers with what reads the names of the alerts that fire. */
async function startPrometheus(folder: string, ports: Ports, cleanUp: (() => unknown)[]) {
  const rules = readFileSync(join(ROOT, "deploy/prometheus/rules.yaml"), "utf8");
  const short = rules.replace(/for: \d+[smh]/g, `for: ${SHORT_FOR}`).replace(/\[\d+m\]/g, SHORT_WINDOW);
  writeFileSync(join(folder, "rules.yaml"), short);
  writeFileSync(
    join(folder, "prometheus.yaml"),
    JSON.stringify({
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: [join(folder, "rules.yaml")],
      scrape_configs: [
        { job_name: "scribe-api", static_configs: [{ targets: [`127.0.0.1:${ports.apiMetrics}`] }] },
        {
          job_name: "scribe-worker",
          static_configs: [{ targets: [`127.0.0.1:${ports.keeper}`, `127.0.0.1:${ports.worker}`] }],
        },
      ],
    }),
  );
  const port = await freePort();
  const prometheus = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder, "tsdb")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=error",
    ],
    { stdio: ["ignore", "inherit", "inherit"] },
  );
  cleanUp.push(() => prometheus.kill("SIGKILL"));
  return async (): Promise<Set<string>> => {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/alerts`, { signal: AbortSignal.timeout(2_000) });
      const { data } = (await response.json()) as {
        data: { alerts: { state: string; labels: { alertname: string } }[] };
      };
      return new Set(data.alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels.alertname));
    } catch {
      // It is starting; nothing can be silent before it says so.
      return new Set(["(Prometheus does not answer)"]);
    }
  };
}
