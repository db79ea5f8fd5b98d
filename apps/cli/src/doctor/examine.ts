import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import type { Config } from "@scribe/config";
import { durabilityWarnings, openDatabase } from "@scribe/database";
import { hubNameOf } from "@scribe/domain";
import { findFfmpeg } from "@scribe/media";
import { createOutboundClient } from "@scribe/outbound";
import { openStore } from "@scribe/storage";
import { askRedis } from "./ask-redis.ts";
import { examineAccounts } from "./examine-accounts.ts";
import { examineLanguageModel } from "./examine-language-model.ts";
import { examineMigrations } from "./examine-migrations.ts";
import { examineProviders } from "./examine-providers.ts";
import { type Finding, ok, warning, wordsOf, wrong } from "./finding.ts";

const run = promisify(execFile);
const BUNDLED_MODELS = join(import.meta.dirname, "../../../../models");
const ENOUGH_DISK_BYTES = 5 * 2 ** 30;
const MOST_CLOCK_SECONDS = 2;
const LIMIT_MS = 15_000;

/** Looks at all that this configuration needs, one after the other; nothing that it finds stops it. */
export async function examine(config: Config, { webhook }: { webhook?: string | undefined }): Promise<Finding[]> {
  const checks: [string, () => Promise<Finding[]>][] = [
    ["Node", async () => [examineNode()]],
    ["data folder", () => examineFolder(config)],
    ["Postgres", () => examinePostgres(config)],
    ["Redis", () => examineRedis(config)],
    ["storage", () => examineStorage(config)],
    ["ffmpeg", examineFfmpeg],
    ["GPU", () => examineGpu(config)],
    ["model", () => examineModel(config)],
    ["accounts", async () => [examineAccounts(config)]],
    ["language model", async () => [await examineLanguageModel(config)]],
    ["providers", () => examineProviders(config)],
    ["API", () => examineApi(config)],
    ["webhooks", () => examineWebhook(config, webhook)],
  ];
  const findings: Finding[] = [];
  for (const [about, check] of checks) {
    try {
      findings.push(...(await withinTime(check())));
    } catch (error) {
      findings.push(wrong(about, wordsOf(error), "see the message"));
    }
  }
  return findings;
}

function examineNode(): Finding {
  const { node } = process.versions;
  return Number(node.split(".")[0]) >= 24
    ? ok("Node", node)
    : wrong("Node", `${node} is too old`, "npm run setup   # brings its own Node 24");
}

async function examineFolder({ data }: Config): Promise<Finding[]> {
  const folder = resolve(data.SCRIBE_DATA_DIR);
  const file = join(folder, `.doctor-${randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(file, "x");
    await rm(file);
  } catch (error) {
    return [
      wrong(
        "data folder",
        `${folder}: ${wordsOf(error)}`,
        `chown -R "$(id -u)" ${folder}   # or another SCRIBE_DATA_DIR`,
      ),
    ];
  }
  const { bavail, bsize } = await statfs(folder);
  const gibibytes = ((bavail * bsize) / 2 ** 30).toFixed(1);
  return [
    bavail * bsize >= ENOUGH_DISK_BYTES
      ? ok("data folder", `${folder} can be written, ${gibibytes} GiB are free`)
      : warning(
          "data folder",
          `only ${gibibytes} GiB are free in ${folder}`,
          `df -h ${folder}   # then make room, or set SCRIBE_DATA_DIR`,
        ),
  ];
}

async function examinePostgres({ data }: Config): Promise<Finding[]> {
  if (data.DATABASE_URL === undefined || data.SCRIBE_ENCRYPTION_KEY === undefined) {
    return [ok("Postgres", "the embedded one, which `npm start` starts; production sets DATABASE_URL")];
  }
  const directUrl = data.DATABASE_DIRECT_URL ?? data.DATABASE_URL;
  const db = openDatabase({
    ...{ url: data.DATABASE_URL, directUrl, encryptionKey: data.SCRIBE_ENCRYPTION_KEY },
    ...{ poolSize: 2, applicationName: "scribe-doctor" },
  });
  try {
    const askedAtMs = Date.now();
    const { rows } = await db.pool.query<{ version: string; now: Date; room: number }>(
      `SELECT current_setting('server_version') AS version, clock_timestamp() AS now,
         current_setting('max_connections')::int - (SELECT count(*)::int FROM pg_stat_activity) AS room`,
    );
    const { version, now, room } = rows[0]!;
    const skewSeconds = Math.abs(now.getTime() - (askedAtMs + Date.now()) / 2) / 1000;
    const migrations = await examineMigrations(directUrl);
    const durability = await durabilityWarnings(db);
    return [
      ok("Postgres", `version ${version} answers`),
      skewSeconds <= MOST_CLOCK_SECONDS
        ? ok("clock", `${skewSeconds.toFixed(2)} s from Postgres's`)
        : warning(
            "clock",
            `${skewSeconds.toFixed(0)} s from Postgres's`,
            "timedatectl set-ntp true   # on the machine that is wrong",
          ),
      room > data.DATABASE_POOL_SIZE
        ? ok("connections", `${room} are free`)
        : warning("connections", `only ${room} are free`, "a higher max_connections, or a smaller DATABASE_POOL_SIZE"),
      migrations,
      ...durability.map((says) =>
        warning("durability", says, "ALTER SYSTEM RESET the setting, then SELECT pg_reload_conf()"),
      ),
    ];
  } catch (error) {
    return [wrong("Postgres", wordsOf(error), 'psql "$DATABASE_URL" -c "SELECT 1"   # from this machine')];
  } finally {
    await db.close();
  }
}

async function examineRedis({ data }: Config): Promise<Finding[]> {
  if (data.REDIS_URL === undefined) return [ok("Redis", "none: queues live in Postgres")];
  try {
    await askRedis(data.REDIS_URL, [["PING"]]);
  } catch (error) {
    return [wrong("Redis", wordsOf(error), 'redis-cli -u "$REDIS_URL" ping   # from this machine')];
  }
  try {
    const [info = ""] = await askRedis(data.REDIS_URL, [["INFO", "memory"]]);
    const policy = info.match(/maxmemory_policy:(\S+)/)?.[1] ?? "unknown";
    return [
      ok("Redis", "answers"),
      policy === "noeviction"
        ? ok("eviction", policy)
        : wrong(
            "eviction",
            `${policy}: a queue may not forget`,
            'redis-cli -u "$REDIS_URL" config set maxmemory-policy noeviction',
          ),
    ];
  } catch (error) {
    return [ok("Redis", "answers"), warning("eviction", wordsOf(error), "see that maxmemory-policy is noeviction")];
  }
}

async function examineStorage({ data }: Config): Promise<Finding[]> {
  const store = await openStore(data);
  const key = `doctor/${randomUUID()}`;
  try {
    await store.put(key, Readable.from([Buffer.from("x")]), { signal: AbortSignal.timeout(LIMIT_MS) });
    const there = (await store.stat(key))?.bytes === 1;
    await store.remove(key);
    return [
      there
        ? ok("storage", `${store.backend}: written, read and removed`)
        : wrong("storage", "what was written is not there", "see the bucket"),
    ];
  } catch (error) {
    const mend = {
      local: "AUDIO_STORAGE_PATH must be writable",
      s3: "S3_BUCKET, S3_REGION and the role's rights: docs/deploy-aws.md",
      gcs: "GCS_BUCKET and the account's rights: docs/deploy-gcp.md",
    };
    return [wrong("storage", `${store.backend}: ${wordsOf(error)}`, mend[store.backend])];
  } finally {
    await store.close();
  }
}

async function examineFfmpeg(): Promise<Finding[]> {
  try {
    const { ffmpeg } = await findFfmpeg({ production: process.env.NODE_ENV === "production" });
    return [ok("ffmpeg", ffmpeg)];
  } catch (error) {
    return [wrong("ffmpeg", wordsOf(error), "apt-get install ffmpeg")];
  }
}

async function examineGpu({ speech }: Config): Promise<Finding[]> {
  const wanted = speech.EXECUTION_PROVIDERS.includes("cuda");
  try {
    const { stdout } = await run(
      "nvidia-smi",
      ["--query-gpu=name,memory.free,driver_version", "--format=csv,noheader"],
      { timeout: LIMIT_MS },
    );
    return stdout
      .trim()
      .split("\n")
      .map((line) => ok("GPU", line));
  } catch {
    const says = "nvidia-smi shows none on this machine";
    return [
      wanted
        ? wrong(
            "GPU",
            says,
            "the driver and the container's GPU (nvidia.com/gpu, --gpus all); or EXECUTION_PROVIDERS=cpu",
          )
        : ok("GPU", says),
    ];
  }
}

async function examineModel({ speech, data }: Config): Promise<Finding[]> {
  // The API's image has neither the engine nor models.
  const engine = await import("@scribe/speech").catch(() => undefined);
  if (engine === undefined) return [ok("model", "a worker's matter: this image has no engine")];
  const { findCached, parseModelId } = engine;
  const name = speech.SCRIBE_MODEL;
  const dataModels = resolve(data.SCRIBE_DATA_DIR, "models");
  const places =
    isAbsolute(name) || name.startsWith(".")
      ? [resolve(name)]
      : [resolve(speech.SCRIBE_MODEL_DIR ?? dataModels, name), join(BUNDLED_MODELS, name)];
  const folder = places.find((place) => existsSync(join(place, "config.json")));
  if (folder !== undefined) return [ok("model", `${name} in ${folder}`)];
  const id = parseModelId(hubNameOf(name, speech.SCRIBE_MODEL_NAMES));
  const cached = id === null ? null : await findCached(resolve(speech.SCRIBE_MODEL_DIR ?? dataModels), id);
  if (cached !== null) return [ok("model", `${name} in ${cached}`)];
  return [
    id === null
      ? wrong("model", `${name} is in none of ${places.join(", ")}`, "npm run models -- list   # then SCRIBE_MODEL")
      : warning("model", `${name} is not here yet; a worker fetches it`, `npm run models -- pull ${name}`),
  ];
}

async function examineApi({ http }: Config): Promise<Finding[]> {
  if (http.PUBLIC_URL === undefined) return [ok("API", "PUBLIC_URL is not set: links are made for this machine")];
  try {
    const response = await fetch(new URL("/health", http.PUBLIC_URL), { signal: AbortSignal.timeout(5_000) });
    await response.body?.cancel();
    if (response.ok) return [ok("API", `${http.PUBLIC_URL} answers`)];
    return [
      warning(
        "API",
        `${http.PUBLIC_URL}/health answers ${response.status}`,
        "what stands in front of the API; PUBLIC_URL",
      ),
    ];
  } catch (error) {
    return [
      warning("API", `${http.PUBLIC_URL}: ${wordsOf(error)}`, "npm run start:api   # or DNS and the load balancer"),
    ];
  }
}

async function examineWebhook({ outbound }: Config, url: string | undefined): Promise<Finding[]> {
  if (url === undefined) return [ok("webhooks", "`--webhook URL` tries a receiver")];
  const client = createOutboundClient({
    allowedPorts: outbound.FETCH_ALLOWED_PORTS.map(Number),
    allowPrivateNetworks: outbound.ALLOW_PRIVATE_NETWORKS,
  });
  try {
    const { status, body } = await client.fetchStream(url, { method: "HEAD", signal: AbortSignal.timeout(LIMIT_MS) });
    body.destroy();
    return [ok("webhooks", `${new URL(url).origin} answers (${status} to a HEAD)`)];
  } catch (error) {
    return [wrong("webhooks", wordsOf(error), `curl -I ${url}   # from this machine; inside: ALLOW_PRIVATE_NETWORKS`)];
  } finally {
    await client.close();
  }
}

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), 2 * LIMIT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
