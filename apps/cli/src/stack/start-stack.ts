import crypto, { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, readConfig } from "@scribe/config";
import { migrateDatabase } from "@scribe/database";
import { choosePort } from "./choose-port.ts";
import { firstKey, type ShownKey } from "./first-key.ts";
import { keepSecret } from "./keep-secret.ts";
import { type Reach, reachDatabase } from "./reach-database.ts";
import { announceStack, runningStack } from "./running-stack.ts";
import { type SupervisedChild, superviseChild } from "./supervise-child.ts";
import { waitReady } from "./wait-ready.ts";

const APPS = resolve(import.meta.dirname, "../../..");
/** Loading a large model from a cold disk may take this long. */
const READY_TIMEOUT_MS = 120_000;
/** How long a command of a moment may hold the embedded Postgres. */
const OWNER_PATIENCE_MS = 20_000;
/** Beyond the parts' own grace, before they are killed. */
const STOP_MARGIN_MS = 5_000;

export interface StackOptions {
  /** What the parts get, beside what the stack finds out for them. */
  env: NodeJS.ProcessEnv;
  /** File descriptor for what the parts log. */
  output: number;
  log: (line: string) => void;
  /** Settings that are found out meanwhile, for the parts. */
  chosen?: Promise<NodeJS.ProcessEnv>;
  /** Ends the start. A stack that stands is ended by `stop`. */
  signal: AbortSignal;
}

export interface Stack {
  url: string;
  workerUrl: string;
  key: ShownKey;
  embedded: boolean;
  dataDir: string;
  /** Everything ends, in reverse order; nothing stays behind. Work in hand is handed back. */
  stop(): Promise<void>;
  /** The parts are killed at once; `stop` must still be called. */
  hurry(): void;
}

/** Postgres (embedded where none is named), migrations, the first key, then API and worker as processes of their own. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { env, log, signal } = options;
  const { config, warnings } = readConfig(env);
  for (const warning of warnings) log(warning);
  const reach = await ownDatabase(config, log, signal);
  const children: SupervisedChild[] = [];
  const graceMs = config.jobs.SHUTDOWN_GRACE_SECONDS * 1000 + STOP_MARGIN_MS;
  let withdraw = () => {};
  const stop = async () => {
    withdraw();
    await Promise.all(children.map((child) => child.stop(graceMs)));
    await reach.stop();
  };
  try {
    signal.throwIfAborted();
    await migrateDatabase({ url: reach.directUrl });
    const key = await prepareKey(config, reach);
    const ports = await choosePorts(config, env, reach.embedded, log);
    signal.throwIfAborted();
    const partEnv = { ...environmentOf(reach, ports, env), ...(await options.chosen) };
    for (const name of ["api", "worker"]) {
      const entry = join(APPS, name, "src/main.ts");
      children.push(superviseChild({ name, entry, env: partEnv, output: options.output, log }));
    }
    const url = `http://${ports.reachableHost}:${ports.api}`;
    const workerUrl = `http://127.0.0.1:${ports.worker}`;
    await whenReady([url, workerUrl], children, signal);
    for (const child of children) child.keepAlive();
    withdraw = announceStack(reach.dataDir, url);
    const hurry = () => {
      for (const child of children) child.kill();
    };
    return { url, workerUrl, key, embedded: reach.embedded, dataDir: reach.dataDir, stop, hurry };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * The stack must outlive nobody else's Postgres: where a command of a moment (`keys`, `db`) runs the embedded one, its
 * end is waited for; where another stack does, that is an error.
 */
async function ownDatabase(config: Config, log: (line: string) => void, signal: AbortSignal): Promise<Reach> {
  const deadline = Date.now() + OWNER_PATIENCE_MS;
  for (;;) {
    const reach = await reachDatabase(config, log);
    if (!reach.embedded || reach.owned) return reach;
    const other = runningStack(reach.dataDir);
    if (other || Date.now() > deadline) {
      const where = other ? ` at ${other.url} (process ${other.pid})` : "";
      throw new Error(`Scribe Rabbit already runs on ${reach.dataDir}${where}. Stop it, or set SCRIBE_DATA_DIR.`);
    }
    await sleep(200, undefined, { signal });
  }
}

async function prepareKey(config: Config, reach: Reach): Promise<ShownKey> {
  const db = reach.open();
  try {
    return await firstKey(db, {
      embedded: reach.embedded,
      dataDir: reach.dataDir,
      webhookSecret: config.outbound.WEBHOOK_SECRET,
      adminKeyIsSet: config.data.SCRIBE_ADMIN_KEY !== undefined,
    });
  } finally {
    await db.close();
  }
}

interface Ports {
  host: string;
  /** What a client on this machine calls. */
  reachableHost: string;
  api: number;
  worker: number;
  metrics: number;
}

async function choosePorts(
  config: Config,
  env: NodeJS.ProcessEnv,
  embedded: boolean,
  log: (line: string) => void,
): Promise<Ports> {
  // With the embedded database the key is printed and lies in a file: nobody else's business.
  const host = embedded && !env.HOST ? "127.0.0.1" : config.http.HOST;
  const taken = new Set<number>();
  const choose = async (name: "PORT" | "WORKER_PORT" | "METRICS_PORT") => {
    const port = await choosePort({ name, port: config.http[name], host, fixed: Boolean(env[name]), taken, log });
    taken.add(port);
    return port;
  };
  const api = await choose("PORT");
  const worker = await choose("WORKER_PORT");
  const metrics = config.http.METRICS_PORT === 0 ? 0 : await choose("METRICS_PORT");
  const everywhere = host === "0.0.0.0" || host === "::";
  const reachableHost = everywhere ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return { host, reachableHost, api, worker, metrics };
}

function environmentOf(reach: Reach, ports: Ports, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const found = {
    SCRIBE_DATA_DIR: reach.dataDir,
    HOST: ports.host,
    PORT: String(ports.api),
    WORKER_PORT: String(ports.worker),
    METRICS_PORT: String(ports.metrics),
  };
  if (!reach.embedded) return { ...env, ...found };
  const { SCRIBE_ENCRYPTION_KEY_FILE: _, ...rest } = env;
  return {
    ...rest,
    ...found,
    ...accountsOf(reach, env),
    DATABASE_URL: reach.url,
    SCRIBE_ENCRYPTION_KEY: reach.encryptionKey.toString("base64"),
  };
}

/** On this machine alone people may log in from the start, where Node (24.7) has argon2; the tokens' secret is made once and kept. */
function accountsOf({ dataDir }: Reach, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = env.JWT_SECRET || env.JWT_SECRET_FILE;
  const make = () => keepSecret(join(dataDir, "jwt-secret"), () => randomBytes(32).toString("base64"));
  return {
    ACCOUNTS: env.ACCOUNTS || (typeof crypto.argon2 === "function" ? "on" : "off"),
    ...(own ? {} : { JWT_SECRET: make() }),
  };
}

/** Resolves when each address answers /ready; rejects as soon as a part ends or the start is called off. */
async function whenReady(urls: string[], children: SupervisedChild[], signal: AbortSignal): Promise<void> {
  const given = new AbortController();
  const waits = urls.map((url) =>
    waitReady(`${url}/ready`, { timeoutMs: READY_TIMEOUT_MS, signal: AbortSignal.any([signal, given.signal]) }),
  );
  const all = Promise.all(waits);
  all.catch(() => {});
  try {
    await Promise.race([all, ...children.map((child) => child.failedToStart)]);
  } finally {
    given.abort(new Error("The start was given up."));
    await Promise.allSettled(waits);
  }
}
