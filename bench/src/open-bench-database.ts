import { randomBytes } from "node:crypto";
import { migrateDatabase } from "@scribe/database";
import { startTestPostgres } from "@scribe/testing";

export interface BenchDatabase {
  url: string;
  /** What a part needs to use it. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** A Postgres for one bench alone, migrated; commits are flushed to disk, as in production. */
export async function openBenchDatabase(): Promise<BenchDatabase> {
  const { url, stop } = await startTestPostgres({ alone: true, fsync: true });
  await migrateDatabase({ url });
  return { url, stop, env: { DATABASE_URL: url, SCRIBE_ENCRYPTION_KEY: randomBytes(32).toString("base64") } };
}
