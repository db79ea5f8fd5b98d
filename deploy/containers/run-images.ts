// Starts the images that check.sh has built, as containers, and sends a recording through them. Needs root, runc and
// redis-server; Postgres is the embedded one. Arguments: a folder that holds `{api,worker}.json`, the two roots, and where
// audio is kept (`local`, or `s3` for a server of the tests).
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  createTestDatabase,
  freePort,
  sampleDialogue,
  startS3Server,
  startTestRedis,
  waitFor,
} from "../../packages/testing/src/index.ts";
import { type Image, readImage, writeBundle } from "./oci-bundle.ts";

const GRACE_MS = 30_000;

const [work = "", apiRoot = "", workerRoot = "", backend = "s3"] = process.argv.slice(2);
const images = {
  api: readImage(apiRoot, join(work, "api.json")),
  worker: readImage(workerRoot, join(work, "worker.json")),
};
const run = randomBytes(4).toString("hex");
const runc = (...args: string[]) => spawnSync("runc", ["--root", join(work, "runc"), ...args], { encoding: "utf8" });
const ended: (() => unknown)[] = [];

function said(line: string): void {
  process.stdout.write(`  ${line}\n`);
}

function must(holds: boolean, what: string, detail = ""): void {
  if (!holds) throw new Error(`${what}: this does not hold. ${detail}`);
  said(what);
}

/** Starts a container; what it prints goes to `NAME.log` in the work folder. */
function start(name: string, image: Image, env: Record<string, string>, command?: string[]): ChildProcess {
  const id = `scribe-${run}-${name}`;
  const bundle = join(work, "bundles", id);
  writeBundle(bundle, image, { env, dataFolder, ...(command && { command }) });
  const log = openSync(join(work, `${name}.log`), "w");
  const child = spawn("runc", ["--root", join(work, "runc"), "run", "--bundle", bundle, id], {
    stdio: ["ignore", log, log],
  });
  ended.unshift(() => runc("delete", "--force", id));
  return child;
}

const exec = (name: string, ...command: string[]) => runc("exec", `scribe-${run}-${name}`, ...command);

const exitOf = (child: ChildProcess, limitMs: number) =>
  new Promise<number | string>((resolve) => {
    const late = setTimeout(() => resolve(`nothing within ${limitMs} ms`), limitMs);
    child.once("exit", (code, signal) => {
      clearTimeout(late);
      resolve(code ?? signal ?? "?");
    });
  });

const answers = (url: string) =>
  fetch(url, { signal: AbortSignal.timeout(5000) }).then(
    (response) => response.ok,
    () => false,
  );

const dataFolder = join(work, "data");
mkdirSync(dataFolder, { recursive: true });
chownSync(dataFolder, images.api.user.uid, images.api.user.gid);

try {
  const database = await createTestDatabase({ migrate: null });
  const redis = await startTestRedis({ persistence: "aof" });
  const [port, metricsPort, workerPort] = [await freePort(), await freePort(), await freePort()];
  ended.push(
    () => database.drop(),
    () => redis.stop(),
  );
  const settings: Record<string, string> = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    SCRIBE_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
    SCRIBE_ADMIN_KEY: `sr_Check123_${randomBytes(20).toString("hex")}`,
    STORAGE_BACKEND: backend,
    PORT: String(port),
    METRICS_PORT: String(metricsPort),
    WORKER_PORT: String(workerPort),
  };
  if (backend === "s3") {
    const s3 = await startS3Server();
    ended.push(() => s3.stop());
    Object.assign(settings, {
      S3_BUCKET: s3.bucket,
      S3_ENDPOINT: s3.endpoint,
      S3_FORCE_PATH_STYLE: "true",
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    });
  }

  const migrate = ["node", "apps/cli/src/main.ts", "db", "migrate"];
  const code = await exitOf(start("migrate", images.api, settings, migrate), 60_000);
  must(code === 0, "the API's image migrates an empty database", `${code}: ${join(work, "migrate.log")}`);

  const api = start("api", images.api, settings);
  const worker = start("worker", images.worker, settings);
  for (const [name, url] of [
    ["api", `http://127.0.0.1:${port}/ready`],
    ["worker", `http://127.0.0.1:${workerPort}/ready`],
  ] as const) {
    await waitFor(() => answers(url), { timeoutMs: 60_000, what: `${name} (see ${name}.log)` });
    said(`${name}: /ready answers`);
    const probe = exec(name, ...images[name].healthcheck);
    must(probe.status === 0, `${name}: its health check passes inside`, probe.stderr);
    const write = exec(name, "sh", "-c", "touch /app/x || touch /x || touch /etc/x");
    must(write.status !== 0 && /Read-only/.test(write.stderr), `${name}: its root is read-only`, write.stderr);
    const who = exec(
      name,
      "sh",
      "-c",
      "id -u; tr '\\0' ' ' < /proc/1/cmdline; grep -E 'CapEff|NoNewPrivs' /proc/1/status",
    );
    must(
      /^1000\nnode apps.*CapEff:\t0+\nNoNewPrivs:\t1\n$/s.test(who.stdout),
      `${name}: Node is process 1, as 1000, without capabilities`,
      who.stdout,
    );
    const stores =
      "await import('@aws-sdk/client-s3'); await import('@aws-sdk/s3-request-presigner'); await import('@google-cloud/storage')";
    const loaded = exec(name, "sh", "-c", `cd packages/storage && node --input-type=module --eval "${stores}"`);
    must(loaded.status === 0, `${name}: the clients of S3 and GCS load`, loaded.stderr);
  }

  const authorization = `Bearer ${settings.SCRIBE_ADMIN_KEY}`;
  const call = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      signal: AbortSignal.timeout(30_000),
      headers: { authorization },
      ...init,
    });
  must((await call("/docs/redoc.js")).ok, "the API serves its reference");

  const form = new FormData();
  form.set("file", new Blob([readFileSync(sampleDialogue().path)]), "dialogue.wav");
  const accepted = await call("/api/v1/transcribe/upload", { method: "POST", body: form });
  must(accepted.status === 202, "a recording is accepted", await accepted.clone().text());
  const { job_id: id } = (await accepted.json()) as { job_id: string };
  const job = await waitFor(
    async () => {
      const seen = (await (await call(`/api/v1/jobs/${id}`)).json()) as Job;
      return ["completed", "failed"].includes(seen.status) ? seen : null;
    },
    { timeoutMs: 120_000, what: "the end of the job" },
  );
  must(job.status === "completed", `it is transcribed: ${job.result?.text.slice(0, 60)}…`, JSON.stringify(job.error));

  for (const [name, child] of [
    ["worker", worker],
    ["api", api],
  ] as const) {
    const began = performance.now();
    const exit = exitOf(child, GRACE_MS);
    runc("kill", `scribe-${run}-${name}`, "TERM");
    const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
    const exitCode = await exit;
    must(exitCode === 0, `${name}: SIGTERM ends it with 0, after ${seconds()} s`, String(exitCode));
  }
} finally {
  for (const end of ended) await end();
}

interface Job {
  status: string;
  result?: { text: string };
  error?: unknown;
}
