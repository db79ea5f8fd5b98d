import { randomBytes } from "node:crypto";
import { migrateDatabase } from "@scribe/database";
import pg from "pg";
import { startTestPostgres } from "./start-test-postgres.ts";

/** Held while the template is made: the first file of a run migrates, the others wait and clone. */
const TEMPLATE_LOCK = 7_204_511;

type Migrate = (database: { url: string }) => Promise<unknown>;

export type TestDatabase = {
  url: string;
  /** Removes the database, closing whatever is still connected. */
  drop(): Promise<void>;
};

/**
 * A fresh, migrated database, cloned from a template that the first caller of the run makes, instead of running all
 * migrations. `migrate: null` gives an empty one.
 */
export async function createTestDatabase(
  options: { migrate?: Migrate | null; server?: { url: string } } = {},
): Promise<TestDatabase> {
  const { migrate = migrateDatabase, server: given } = options;
  const server = given ?? (await startTestPostgres());
  const name = `test_${randomBytes(6).toString("hex")}`;
  const template = migrate ? await ensureTemplate(server.url, migrate) : "template1";
  await asOwner(server.url, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`));
  return {
    url: databaseUrl(server.url, name),
    async drop() {
      await asOwner(server.url, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
      if (!given) await (server as { stop?(): Promise<void> }).stop?.();
    },
  };
}

async function ensureTemplate(serverUrl: string, migrate: Migrate): Promise<string> {
  const name = `migrated_${migrate.name.toLowerCase().replace(/[^a-z0-9_]/g, "")}`;
  await asOwner(serverUrl, async (client) => {
    await client.query("SELECT pg_advisory_lock($1)", [TEMPLATE_LOCK]);
    const found = await client.query("SELECT datistemplate FROM pg_database WHERE datname = $1", [name]);
    if (found.rows[0]?.datistemplate) return;
    // One that is no template yet was cut off in the middle.
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${name}`);
    await migrate({ url: databaseUrl(serverUrl, name) });
    // A template with a connection cannot be cloned: whatever the migration left open is closed, and stays so.
    await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false IS_TEMPLATE true`);
    await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [name]);
  });
  return name;
}

async function asOwner<T>(serverUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: serverUrl, connectionTimeoutMillis: 30_000, query_timeout: 60_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
