import { type EngineCheckpoint, JobError } from "@scribe/domain";
import { endJob } from "../jobs/end-job.ts";
import { JOB_COLUMNS, type JobRow, toJobRow } from "../jobs/job-row.ts";
import { tellStatus } from "../jobs/write-events.ts";
import { type Database, inTransaction } from "../open-database.ts";

/** Leases that may run out one after the other, without a new checkpoint, before a job counts as poison. */
export const MAX_CRASHES = 5;

export interface Claimed extends JobRow {
  checkpoint: EngineCheckpoint | null;
  /** Segments that earlier attempts left; ids go on from here. */
  segmentCount: number;
}

export interface Lease {
  jobId: string;
  epoch: number;
}

/**
 * Tries to take a job, on database time. Null where there is nothing to take: the message was old, another worker has
 * it, it is not due, or it has ended. A lease that ran out is counted here; the fifth without progress ends the job.
 */
export async function claimJob(
  db: Database,
  jobId: string,
  { workerId, leaseSeconds }: { workerId: string; leaseSeconds: number },
): Promise<Claimed | null> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query({
      name: "claim-job",
      text: `UPDATE jobs SET lease_epoch = lease_epoch + 1, lease_until = now() + $2 * interval '1 second', worker_id = $3,
         crashes = crashes + CASE WHEN lease_until IS NULL THEN 0 ELSE 1 END,
         next_ordinal = next_ordinal + CASE status WHEN 'pending' THEN 1 ELSE 0 END,
         status = 'processing', phase = 'queued', started_at = coalesce(started_at, now()), dispatched_at = NULL,
         updated_at = now()
       WHERE id = $1 AND status IN ('pending', 'processing') AND next_run_at <= now()
         AND (lease_until IS NULL OR lease_until < now())
       RETURNING ${JOB_COLUMNS}`,
      values: [jobId, leaseSeconds, workerId],
    });
    if (rows.length === 0) return null;
    const job = toJobRow(rows[0]);
    if (job.crashes >= MAX_CRASHES) {
      const error = new JobError("worker_crashed", "The workers that tried this job died, several times in a row.");
      await endJob(db, client, job.id, "failed", error.view(), { sql: "lease_epoch", value: job.leaseEpoch });
      return null;
    }
    // Only a claim of a pending job has epoch 1: cancelling, the other thing that raises it, is final.
    if (job.leaseEpoch === 1) await tellStatus(db, client, job, job.nextOrdinal - 1);
    const { rows: counted } = await client.query<{ count: number }>(
      `SELECT coalesce(max(index) + 1, 0)::int AS count FROM segments WHERE job_id = $1`,
      [jobId],
    );
    return { ...job, checkpoint: job.checkpoint as EngineCheckpoint | null, segmentCount: counted[0]?.count ?? 0 };
  });
}
