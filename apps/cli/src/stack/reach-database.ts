import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import type { Config } from "@scribe/config";
import { type Database, openDatabase, startEmbeddedPostgres } from "@scribe/database";
import { keepSecret } from "./keep-secret.ts";

const POOL_SIZE = 2;

/** Where the data is: the Postgres of DATABASE_URL, or the embedded one under SCRIBE_DATA_DIR. */
export interface Reach {
  url: string;
  /** Past a pooler. */
  directUrl: string;
  encryptionKey: Buffer;
  embedded: boolean;
  /** False where another process runs the embedded Postgres: it ends with that one. */
  owned: boolean;
  dataDir: string;
  open(): Database;
  /** Ends the embedded Postgres where this process started it. */
  stop(): Promise<void>;
}

/**
 * Finds the database that the configuration means. Without DATABASE_URL the embedded Postgres is started, or, where
 * `npm start` runs it already, joined; the encryption key is made once and kept under SCRIBE_DATA_DIR.
 */
export async function reachDatabase(config: Config, log: (line: string) => void): Promise<Reach> {
  const { DATABASE_URL, DATABASE_DIRECT_URL, SCRIBE_ENCRYPTION_KEY, SCRIBE_DATA_DIR } = config.data;
  const encryptionKeyBefore = config.data.SCRIBE_ENCRYPTION_KEY_BEFORE;
  const dataDir = resolve(SCRIBE_DATA_DIR);
  const reach = (url: string, directUrl: string, encryptionKey: Buffer) => ({
    ...{ url, directUrl, encryptionKey, dataDir },
    open: () =>
      openDatabase({
        ...{ url, directUrl, encryptionKey, encryptionKeyBefore },
        ...{ poolSize: POOL_SIZE, applicationName: "scribe-cli" },
      }),
  });
  if (DATABASE_URL !== undefined && SCRIBE_ENCRYPTION_KEY !== undefined) {
    const there = reach(DATABASE_URL, DATABASE_DIRECT_URL ?? DATABASE_URL, SCRIBE_ENCRYPTION_KEY);
    return { ...there, embedded: false, owned: false, stop: async () => {} };
  }
  const key =
    SCRIBE_ENCRYPTION_KEY ??
    Buffer.from(
      keepSecret(join(dataDir, "encryption-key"), () => randomBytes(32).toString("base64")),
      "base64",
    );
  const postgres = await startEmbeddedPostgres({ dataDir: join(dataDir, "postgres"), log });
  return {
    ...reach(postgres.url, postgres.url, key),
    embedded: true,
    owned: postgres.owned,
    stop: () => postgres.stop(),
  };
}
