import { setTimeout as sleep } from "node:timers/promises";
import { type Database, isDatabaseUnavailable, migrateDatabase } from "@scribe/database";
import type { Logger } from "@scribe/telemetry";

const PATIENCE_MS = 60_000;
const AGAIN_MS = 1_000;

/** Migrates, and waits for a Postgres that starts beside us; throws where it does not come within a minute. */
export async function reachDatabase(db: Database, log: Logger, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      const { applied } = await migrateDatabase({ url: db.directUrl });
      if (applied.length > 0) log.info({ applied }, "the database was migrated");
      return;
    } catch (error) {
      if (!isDatabaseUnavailable(error) || Date.now() > deadline) throw error;
      log.warn({ err: error }, "the database is not there yet");
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }
}
