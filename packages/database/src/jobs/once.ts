import type { PoolClient } from "pg";
import { type Database, inTransaction } from "../open-database.ts";
import type { JobRow } from "./job-row.ts";

export interface KeptAnswer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
}

export interface Idempotency<T = JobRow> {
  route: string;
  key: string;
  /** SHA-256 of the parsed input, hex. */
  fingerprint: string;
  /** How long an equal request that is under way is waited for; ten seconds. */
  waitMs?: number | undefined;
  respond(row: T): { status: number; body: unknown; headers?: Record<string, string> };
}

/** Another request with this key got there first: read what it left, and answer that. */
export class IdempotencyRace extends Error {
  override readonly name = "IdempotencyRace";
}

/** Another request with this key has been under way for too long to wait. */
export class IdempotencyBusy extends Error {
  override readonly name = "IdempotencyBusy";
}

const WAIT_MS = 10_000;
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Runs `work` in one transaction with the record of its answer: of equal requests, one commits.
 *
 * @throws IdempotencyRace, IdempotencyBusy
 */
export async function once<T>(
  db: Database,
  tenantId: string,
  idempotency: Idempotency<T>,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  return await inTransaction(db, async (client) => {
    await client.query("SELECT set_config('lock_timeout', $1, true)", [String(idempotency.waitMs ?? WAIT_MS)]);
    // First of all: an equal request that is under way makes this one wait here, and nowhere later.
    const { rowCount } = await client
      .query(
        `INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, response, expires_at)
         VALUES ($1, $2, $3, $4, 0, '{}', now() + interval '24 hours')
         ON CONFLICT (tenant_id, route, key) DO UPDATE
           SET fingerprint = excluded.fingerprint, created_at = now(), expires_at = excluded.expires_at
           WHERE idempotency_records.expires_at < now()`,
        [tenantId, idempotency.route, idempotency.key, idempotency.fingerprint],
      )
      .catch((error: Error & { code?: string }) => {
        throw error.code === LOCK_NOT_AVAILABLE ? new IdempotencyBusy() : error;
      });
    if (rowCount === 0) throw new IdempotencyRace();
    const row = await work(client);
    const answer = idempotency.respond(row);
    await client.query(
      `UPDATE idempotency_records SET status = $4, response = $5, headers = $6
       WHERE tenant_id = $1 AND route = $2 AND key = $3`,
      [
        tenantId,
        idempotency.route,
        idempotency.key,
        answer.status,
        JSON.stringify(answer.body),
        JSON.stringify(answer.headers ?? {}),
      ],
    );
    return row;
  });
}

/** What an earlier request with this key was answered, or null. */
export async function readKeptAnswer(
  db: Database,
  tenantId: string,
  route: string,
  key: string,
): Promise<(KeptAnswer & { fingerprint: string }) | null> {
  const { rows } = await db.pool.query<{
    fingerprint: string;
    status: number;
    response: unknown;
    headers: Record<string, string>;
  }>(
    `SELECT fingerprint, status, response, headers FROM idempotency_records
     WHERE tenant_id = $1 AND route = $2 AND key = $3 AND expires_at >= now()`,
    [tenantId, route, key],
  );
  const row = rows[0];
  return row ? { fingerprint: row.fingerprint, status: row.status, body: row.response, headers: row.headers } : null;
}
