import type { Database } from "./open-database.ts";

/**
 * Settings of the Postgres server under which a committed job may be lost in a crash, in words for the log. Empty where
 * all is as it should be.
 */
export async function durabilityWarnings(db: Database): Promise<string[]> {
  const { rows } = await db.pool.query<{ name: string; setting: string }>(
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'",
  );
  return rows.map(
    ({ name }) => `Postgres runs with ${name} off: a crash of its machine may lose jobs that were already accepted`,
  );
}
