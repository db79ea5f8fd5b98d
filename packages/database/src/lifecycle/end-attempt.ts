import { JobError } from "@scribe/domain";
import { endJob } from "../jobs/end-job.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { AT_ONCE } from "../outbox/at-once.ts";
import type { Lease } from "./claim-job.ts";

/** Deaths of a child that held this job alone, before the job counts as their cause. */
export const MAX_CHILD_DEATHS = 3;

export interface RetryPolicy {
  maxAttempts: number;
  /** Seconds to wait after the nth charged attempt, counted from 1. */
  backoffSeconds(attempt: number): number;
}

/**
 * Ends an attempt that reported an error. One that may end differently is tried again later, until `maxAttempts` are
 * charged; between attempts the job stays `processing`, phase `queued`. The epoch rises, so that a renewal still under
 * way cannot take the job back, and an answer that was lost and is asked for again charges nothing.
 */
export async function failAttempt(
  db: Database,
  lease: Lease,
  error: JobError,
  { maxAttempts, backoffSeconds }: RetryPolicy,
): Promise<"retry" | "failed" | "lost"> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<{ attempts: number }>(
      `SELECT attempts FROM jobs WHERE id = $1 AND lease_epoch = $2 AND status = 'processing' FOR UPDATE`,
      [lease.jobId, lease.epoch],
    );
    const held = rows[0];
    if (!held) return "lost";
    const attempt = held.attempts + 1;
    if (!error.retryable || attempt >= maxAttempts) {
      await endJob(db, client, lease.jobId, "failed", error.view(), { sql: "lease_epoch", value: lease.epoch }, 1);
      return "failed";
    }
    await client.query(
      `UPDATE jobs SET attempts = $2, lease_epoch = lease_epoch + 1, next_run_at = ${AT_ONCE} + $3 * interval '1 second', lease_until = NULL,
         dispatched_at = NULL, phase = 'queued', updated_at = now() WHERE id = $1`,
      [lease.jobId, attempt, backoffSeconds(attempt)],
    );
    return "retry";
  });
}

/**
 * Gives a job back, uncharged, to be taken by anyone at once: at shutdown, or because the child died. A child that died
 * with several jobs in it makes each run alone next; one that died with this job alone is counted, and the third ends
 * the job. The epoch rises, as in `failAttempt`.
 */
export async function handBack(
  db: Database,
  lease: Lease,
  { childDeath }: { childDeath?: "alone" | "shared" } = {},
): Promise<"again" | "failed" | "lost"> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<{ deaths: number; epoch: number }>(
      `UPDATE jobs SET lease_epoch = lease_epoch + 1, lease_until = NULL, next_run_at = ${AT_ONCE}, dispatched_at = NULL, phase = 'queued',
         child_deaths = child_deaths + $3::int, run_alone = run_alone OR $4::boolean, updated_at = now()
       WHERE id = $1 AND lease_epoch = $2 AND status = 'processing' RETURNING child_deaths AS deaths, lease_epoch AS epoch`,
      [lease.jobId, lease.epoch, childDeath === "alone" ? 1 : 0, childDeath !== undefined],
    );
    const given = rows[0];
    if (!given) return "lost";
    if (given.deaths < MAX_CHILD_DEATHS) return "again";
    const error = new JobError("worker_crashed", "The speech process died each time it worked on this audio.");
    await endJob(db, client, lease.jobId, "failed", error.view(), { sql: "lease_epoch", value: given.epoch });
    return "failed";
  });
}
