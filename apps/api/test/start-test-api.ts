import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "@scribe/config";
import { createKey, type Database, ensureTenant, openDatabase } from "@scribe/database";
import type { Scope } from "@scribe/domain";
import { createLogger } from "@scribe/telemetry";
import { createTestDatabase } from "@scribe/testing";
import { type RunningApi, startApi } from "../src/start-api.ts";
import type { Waits } from "../src/waits.ts";

export const ENCRYPTION_KEY = Buffer.alloc(32, 7);
export const ADMIN_KEY = `sr_admin123_${"a".repeat(40)}`;

export interface TestApi {
  api: RunningApi;
  url: string;
  /** A key of the tenant `default` with scope transcribe. */
  key: string;
  db: Database;
  databaseUrl: string;
  log(): string;
  /** Calls with the default key; `key: null` sends none. */
  call(path: string, init?: CallInit): Promise<Response>;
  makeKey(scopes: Scope[], options?: { tenant?: string; expiresAt?: Date }): Promise<{ id: string; key: string }>;
  dataDir: string;
  /** The objects that lie in storage. */
  storedFiles(): Promise<string[]>;
  /** With what puts under way have written so far. */
  allFiles(): Promise<string[]>;
  stop(): Promise<void>;
}

export type CallInit = RequestInit & { key?: string | null; json?: unknown; duplex?: "half" };

export async function startTestApi(
  env: Record<string, string> = {},
  waits: Partial<Waits> = {},
  server?: { url: string },
): Promise<TestApi> {
  const database = await createTestDatabase(server ? { server } : {});
  const dataDir = await mkdtemp(join(tmpdir(), "scribe-api-"));
  const lines: string[] = [];
  const { config } = readConfig({
    PORT: "0",
    METRICS_PORT: "0",
    HOST: "127.0.0.1",
    DATABASE_URL: database.url,
    DATABASE_POOL_SIZE: "5",
    SCRIBE_ENCRYPTION_KEY: ENCRYPTION_KEY.toString("base64"),
    SCRIBE_DATA_DIR: dataDir,
    SCRIBE_ADMIN_KEY: ADMIN_KEY,
    // Tests ask more often than people do; those of the limits set their own.
    RATE_LIMIT_READS: "1000000",
    RATE_LIMIT_CREATES: "1000000",
    RATE_LIMIT_ANONYMOUS: "1000000",
    ...env,
  });
  const log = createLogger({
    level: "info",
    format: "json",
    name: "api",
    destination: { write: (line: string) => lines.push(line) },
  });
  const api = await startApi({ config, log, waits });
  const db = openDatabase({
    url: database.url,
    poolSize: 3,
    encryptionKey: ENCRYPTION_KEY,
    applicationName: "scribe-test",
  });
  const makeKey: TestApi["makeKey"] = async (scopes, { tenant = "default", expiresAt } = {}) => {
    const { id: tenantId } = await ensureTenant(db, tenant);
    return await createKey(db, { tenantId, name: "test", scopes, expiresAt });
  };
  const { key: defaultKey } = await makeKey(["transcribe"]);

  return {
    api,
    url: api.url,
    key: defaultKey,
    db,
    databaseUrl: database.url,
    log: () => lines.join(""),
    async call(path, { key = defaultKey, json, ...init } = {}) {
      const headers = new Headers(init.headers);
      if (key !== null) headers.set("Authorization", `Bearer ${key}`);
      if (json !== undefined) headers.set("Content-Type", "application/json");
      return await fetch(api.url + path, {
        signal: AbortSignal.timeout(20_000),
        ...init,
        headers,
        ...(json === undefined ? {} : { method: init.method ?? "POST", body: JSON.stringify(json) }),
      });
    },
    makeKey,
    dataDir,
    allFiles: () => listFiles(join(dataDir, "audio")),
    storedFiles: async () => (await listFiles(join(dataDir, "audio"))).filter((name) => !name.includes("/.put-")),
    async stop() {
      await api.stop(1);
      await db.close();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function listFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}
