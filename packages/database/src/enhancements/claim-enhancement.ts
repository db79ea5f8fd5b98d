import { EnhancementError } from "@scribe/domain";
import { type Database, inTransaction } from "../open-database.ts";
import { failEnhancement } from "./end-enhancement.ts";
import { ENHANCEMENT_COLUMNS, type EnhancementRow } from "./enhancement-row.ts";

/** Leases that may run out one after the other, without a finished step, before it counts as poison. */
const MAX_CRASHES = 5;

/** `jobId` is the enhancement's own id, as its callers know it. */
export interface EnhancementLease {
  jobId: string;
  epoch: number;
}

export interface ClaimedEnhancement extends EnhancementRow {
  /** Where the text came with the request. */
  text: string | null;
  /** What earlier attempts finished, by step. */
  steps: ReadonlyMap<string, unknown>;
}

/** Tries to take an enhancement, by the same rule as a job's claim. */
export async function claimEnhancement(
  db: Database,
  id: string,
  { workerId, leaseSeconds }: { workerId: string; leaseSeconds: number },
): Promise<ClaimedEnhancement | null> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<EnhancementRow & { text: string | null }>({
      name: "claim-enhancement",
      text: `UPDATE enhancements SET lease_epoch = lease_epoch + 1, lease_until = now() + $2 * interval '1 second',
          worker_id = $3, crashes = crashes + CASE WHEN lease_until IS NULL THEN 0 ELSE 1 END, status = 'processing',
          started_at = coalesce(started_at, now()), dispatched_at = NULL, updated_at = now()
        WHERE id = $1 AND status IN ('pending', 'processing') AND next_run_at <= now()
          AND (lease_until IS NULL OR lease_until < now())
        RETURNING ${ENHANCEMENT_COLUMNS}, enhancements.text AS text`,
      values: [id, leaseSeconds, workerId],
    });
    const [row] = rows;
    if (!row) return null;
    if (row.crashes >= MAX_CRASHES) {
      const error = new EnhancementError("worker_crashed", "The workers that tried this died, several times in a row.");
      await failEnhancement(db, client, { jobId: id, epoch: row.leaseEpoch }, error.view());
      return null;
    }
    const { rows: steps } = await client.query<{ step: string; data: unknown }>(
      "SELECT step, data FROM enhancement_steps WHERE enhancement_id = $1",
      [id],
    );
    return { ...row, steps: new Map(steps.map(({ step, data }) => [step, data])) };
  });
}

/** Moves the end of a lease. False: it is no longer ours. */
export async function renewEnhancement(
  db: Database,
  { jobId, epoch }: EnhancementLease,
  leaseSeconds: number,
): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "renew-enhancement",
    text: `UPDATE enhancements SET lease_until = now() + $3 * interval '1 second'
           WHERE id = $1 AND lease_epoch = $2 AND status = 'processing'`,
    values: [jobId, epoch, leaseSeconds],
  });
  return rowCount === 1;
}

/** Of several leases, the ids of those that still hold. */
export async function stillEnhancing(db: Database, leases: readonly EnhancementLease[]): Promise<Set<string>> {
  const { rows } = await db.pool.query<{ id: string }>(
    `SELECT enhancements.id FROM enhancements JOIN unnest($1::uuid[], $2::int[]) AS held(id, epoch) USING (id)
     WHERE enhancements.lease_epoch = held.epoch AND enhancements.status = 'processing'`,
    [leases.map(({ jobId }) => jobId), leases.map(({ epoch }) => epoch)],
  );
  return new Set(rows.map(({ id }) => id));
}

export interface FinishedStep {
  step: string;
  data: unknown;
  progress: number;
  promptTokens: number;
  completionTokens: number;
}

/** Keeps a finished step: the next attempt goes on after it. False: the lease was lost. */
export async function keepStep(db: Database, lease: EnhancementLease, given: FinishedStep): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "keep-enhancement-step",
    text: `WITH held AS (
        UPDATE enhancements SET progress = greatest(progress, $5), prompt_tokens = prompt_tokens + $6,
          completion_tokens = completion_tokens + $7, failures = 0, crashes = 0, updated_at = now()
        WHERE id = $1 AND lease_epoch = $2 AND status = 'processing' RETURNING id
      )
      INSERT INTO enhancement_steps (enhancement_id, step, data) SELECT id, $3, $4 FROM held
      ON CONFLICT (enhancement_id, step) DO UPDATE SET data = excluded.data`,
    values: [
      ...[lease.jobId, lease.epoch, given.step, JSON.stringify(given.data), given.progress],
      ...[given.promptTokens, given.completionTokens],
    ],
  });
  return rowCount === 1;
}
