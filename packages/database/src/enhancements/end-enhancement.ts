import type { EnhancementError, EnhancementErrorView } from "@scribe/domain";
import type { PoolClient } from "pg";
import { type Database, inTransaction } from "../open-database.ts";
import { AT_ONCE } from "../outbox/at-once.ts";
import type { EnhancementLease } from "./claim-enhancement.ts";
import { ENHANCEMENT_COLUMNS, type EnhancementRow } from "./enhancement-row.ts";
import { tellEnd } from "./tell-end.ts";

/** What every end takes away: the place in the queue, the lease, and what only a further attempt would need. */
const ENDED = `completed_at = now(), updated_at = now(), lease_epoch = lease_epoch + 1, lease_until = NULL,
  dispatched_at = NULL`;

async function forgetSteps(client: PoolClient, id: string): Promise<void> {
  await client.query("DELETE FROM enhancement_steps WHERE enhancement_id = $1", [id]);
}

/** Inside a transaction: ends a live one as failed. `where` says under which condition; no row: it had ended. */
export async function failEnhancement(
  db: Database,
  client: PoolClient,
  lease: EnhancementLease,
  error: EnhancementErrorView,
  attempts = 0,
): Promise<boolean> {
  const { rows } = await client.query<EnhancementRow>(
    `UPDATE enhancements SET status = 'failed', error = $3, attempts = attempts + $4, ${ENDED}
     WHERE id = $1 AND lease_epoch = $2 AND status = 'processing' RETURNING ${ENHANCEMENT_COLUMNS}`,
    [lease.jobId, lease.epoch, JSON.stringify(error), attempts],
  );
  const [row] = rows;
  if (!row) return false;
  await forgetSteps(client, row.id);
  await tellEnd(db, client, row, "enhancement.failed");
  return true;
}

export interface EnhancementOutcome {
  model: string;
  outputs: Record<string, unknown>;
  warnings: readonly string[];
}

/** Result, status and webhook delivery in one transaction. False: the lease was lost, and nothing was written. */
export async function completeEnhancement(
  db: Database,
  lease: EnhancementLease,
  { model, outputs, warnings }: EnhancementOutcome,
): Promise<boolean> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<EnhancementRow>(
      `UPDATE enhancements SET status = 'completed', progress = 100, model = $3, outputs = $4, warnings = $5, ${ENDED}
       WHERE id = $1 AND lease_epoch = $2 AND status = 'processing' RETURNING ${ENHANCEMENT_COLUMNS}`,
      [lease.jobId, lease.epoch, model, JSON.stringify(outputs), JSON.stringify(warnings)],
    );
    const [row] = rows;
    if (!row) return false;
    await forgetSteps(client, row.id);
    await tellEnd(db, client, row, "enhancement.completed");
    return true;
  });
}

/** At the client's wish. No row: it had ended, or is not the tenant's. */
export async function cancelEnhancement(db: Database, tenantId: string, id: string): Promise<EnhancementRow | null> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<EnhancementRow>(
      `UPDATE enhancements SET status = 'cancelled', ${ENDED}
       WHERE id = $1 AND tenant_id = $2 AND status IN ('pending', 'processing') RETURNING ${ENHANCEMENT_COLUMNS}`,
      [id, tenantId],
    );
    if (rows[0]) await forgetSteps(client, id);
    return rows[0] ?? null;
  });
}

export interface EnhancementRetry {
  /** Attempts in a row that may end in an error without one step done between them. */
  maxFailures: number;
  /** Seconds to wait after the nth of them, from 1. */
  backoffSeconds: (failure: number) => number;
}

/**
 * Ends an attempt that reported an error: tried again later where that may help, never before the endpoint's own wish,
 * until it has failed `maxFailures` times without a step in between.
 */
export async function failEnhancementAttempt(
  db: Database,
  lease: EnhancementLease,
  error: EnhancementError,
  { maxFailures, backoffSeconds }: EnhancementRetry,
): Promise<"retry" | "failed" | "lost"> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<{ failures: number }>(
      "SELECT failures FROM enhancements WHERE id = $1 AND lease_epoch = $2 AND status = 'processing' FOR UPDATE",
      [lease.jobId, lease.epoch],
    );
    if (!rows[0]) return "lost";
    const failures = rows[0].failures + 1;
    if (!error.retryable || failures >= maxFailures) {
      await failEnhancement(db, client, lease, error.view(), 1);
      return "failed";
    }
    const waitSeconds = Math.max(backoffSeconds(failures), error.retryAfterSeconds ?? 0);
    await client.query(
      `UPDATE enhancements SET attempts = attempts + 1, failures = $2, lease_epoch = lease_epoch + 1, lease_until = NULL,
         dispatched_at = NULL, next_run_at = ${AT_ONCE} + $3 * interval '1 second', updated_at = now() WHERE id = $1`,
      [lease.jobId, failures, waitSeconds],
    );
    return "retry";
  });
}

/** Gives it back, uncharged, to be taken by anyone at once. False: the lease was lost. */
export async function handBackEnhancement(db: Database, lease: EnhancementLease): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE enhancements SET lease_epoch = lease_epoch + 1, lease_until = NULL, dispatched_at = NULL,
       next_run_at = ${AT_ONCE} WHERE id = $1 AND lease_epoch = $2 AND status = 'processing'`,
    [lease.jobId, lease.epoch],
  );
  return rowCount === 1;
}
