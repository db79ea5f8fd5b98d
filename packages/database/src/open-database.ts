import { PrismaPg } from "@prisma/adapter-pg";
import { Pool, type PoolClient } from "pg";
import { PrismaClient } from "./generated/client.ts";
import { createSecretBox, type SecretBox } from "./secret-box.ts";

export interface DatabaseOptions {
  url: string;
  /** Past a pooler, for LISTEN and session locks; `url` where there is none. */
  directUrl?: string | undefined;
  poolSize: number;
  encryptionKey: Buffer;
  /** What it encrypted is readable still, until `rotateSecrets` has run. */
  encryptionKeyBefore?: Buffer | undefined;
  applicationName: string;
  /** What links in stored webhook bodies begin with. */
  publicUrl?: string | undefined;
}

export interface Database {
  readonly pool: Pool;
  readonly prisma: PrismaClient;
  readonly secrets: SecretBox;
  readonly url: string;
  readonly directUrl: string;
  readonly publicUrl: string;
  close(): Promise<void>;
}

/** One pool that Prisma and our own SQL share. Connects when it is first asked. */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = new Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: 5_000,
    // No statement of ours is that slow; a hanging one must not hold a connection for ever.
    statement_timeout: 60_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
  });
  // A connection that breaks while idle is simply replaced; the next query tells if the server is gone.
  pool.on("error", () => undefined);
  const prisma = new PrismaClient({
    adapter: new PrismaPg(pool),
    // Interactive transactions end after 5 s by default, which a day of words may exceed.
    transactionOptions: { maxWait: 5_000, timeout: 60_000 },
  });
  return {
    pool,
    prisma,
    secrets: createSecretBox(options.encryptionKey, options.encryptionKeyBefore),
    url: options.url,
    directUrl: options.directUrl ?? options.url,
    publicUrl: (options.publicUrl ?? "").replace(/\/$/, ""),
    async close() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** Runs `work` in one transaction on one connection; whatever it throws rolls back. */
export async function inTransaction<T>(db: Database, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await db.pool.connect();
  let broken: Error | undefined;
  // A lost connection fails the statement in hand, and is also told as an event, which unheard would end the process.
  const lost = (error: Error) => {
    broken = error;
  };
  client.on("error", lost);
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    client.off("error", lost);
    // A connection that broke or could not roll back is not given back to the pool.
    client.release(broken);
  }
}

const AWAY = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENOENT"],
  // Classes 08 (connection) and 57P (server shut down, starting up), 53300 too many connections, 53100 disk full.
  ...["08000", "08001", "08003", "08004", "08006", "57P01", "57P02", "57P03", "57P05", "53300", "53100", "25P03"],
  // Prisma: cannot reach, timed out, connection closed, pool timeout.
  ...["P1001", "P1002", "P1008", "P1017", "P2024"],
]);

const AWAY_MESSAGES =
  /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error|cannot use a pool after|server closed the connection|not queryable/i;

/** Whether an error means that Postgres cannot be reached now, so that waiting may help. */
export function isDatabaseUnavailable(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code, errors } = at as Error & { code?: unknown; errors?: unknown };
    if (typeof code === "string" && AWAY.has(code)) return true;
    if (AWAY_MESSAGES.test(at.message)) return true;
    // What trying several addresses of a name ends in.
    if (Array.isArray(errors) && errors.some(isDatabaseUnavailable)) return true;
  }
  return false;
}
