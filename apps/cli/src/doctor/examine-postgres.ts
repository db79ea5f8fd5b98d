import type { Config } from "@scribe/config";
import { type Database, durabilityWarnings, openDatabase } from "@scribe/database";
import { examineMigrations } from "./examine-migrations.ts";
import { type Finding, ok, warning, wordsOf, wrong } from "./finding.ts";

const MOST_CLOCK_SECONDS = 2;

/** Postgres and what hangs on it: the clock, its connections, the schema, and whether it keeps what it has accepted. */
export async function examinePostgres({ data }: Pick<Config, "data">): Promise<Finding[]> {
  if (data.DATABASE_URL === undefined || data.SCRIBE_ENCRYPTION_KEY === undefined) {
    return [ok("Postgres", "the embedded one, which `npm start` starts; production sets DATABASE_URL")];
  }
  const directUrl = data.DATABASE_DIRECT_URL ?? data.DATABASE_URL;
  const db = openDatabase({
    ...{ url: data.DATABASE_URL, directUrl, encryptionKey: data.SCRIBE_ENCRYPTION_KEY },
    ...{ poolSize: 2, applicationName: "scribe-doctor" },
  });
  try {
    const { version, skewSeconds, room } = await askPostgres(db);
    return [
      ok("Postgres", `version ${version} answers`),
      examineClock(skewSeconds),
      examineConnections(room, data.DATABASE_POOL_SIZE),
      await examineMigrations(directUrl),
      ...(await examineDurability(db)),
    ];
  } catch (error) {
    return [wrong("Postgres", wordsOf(error), 'psql "$DATABASE_URL" -c "SELECT 1"   # from this machine')];
  } finally {
    await db.close();
  }
}

async function askPostgres(db: Database) {
  const askedAtMs = Date.now();
  const { rows } = await db.pool.query<{ version: string; now: Date; room: number }>(
    `SELECT current_setting('server_version') AS version, clock_timestamp() AS now,
       current_setting('max_connections')::int - (SELECT count(*)::int FROM pg_stat_activity) AS room`,
  );
  const { version, now, room } = rows[0]!;
  return { version, room, skewSeconds: Math.abs(now.getTime() - (askedAtMs + Date.now()) / 2) / 1000 };
}

/** Leases and queues go by Postgres's clock, signatures and links by this machine's. */
export function examineClock(skewSeconds: number): Finding {
  if (skewSeconds <= MOST_CLOCK_SECONDS) return ok("clock", `${skewSeconds.toFixed(2)} s from Postgres's`);
  const mend = "timedatectl set-ntp true   # on the machine that is wrong";
  return warning("clock", `${skewSeconds.toFixed(0)} s from Postgres's`, mend);
}

export function examineConnections(room: number, poolSize: number): Finding {
  if (room > poolSize) return ok("connections", `${room} are free`);
  const mend =
    'psql "$DATABASE_URL" -c "ALTER SYSTEM SET max_connections = 300"   # then restart it; or a smaller DATABASE_POOL_SIZE';
  return warning("connections", `only ${room} are free, one process wants up to ${poolSize}`, mend);
}

export async function examineDurability(db: Pick<Database, "pool">): Promise<Finding[]> {
  return (await durabilityWarnings(db as Database)).map((says) => {
    const name = /with (\w+) off/.exec(says)?.[1] ?? "fsync";
    const mend = `psql "$DATABASE_URL" -c "ALTER SYSTEM RESET ${name}" -c "SELECT pg_reload_conf()"`;
    return warning("durability", says, mend);
  });
}
