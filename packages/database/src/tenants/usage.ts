import type { Pool, PoolClient } from "pg";
import type { JobRow } from "../jobs/job-row.ts";
import type { Database } from "../open-database.ts";

export interface UsageRow {
  /** `YYYY-MM-DD`, UTC. */
  day: string;
  model: string;
  completed: number;
  failed: number;
  cancelled: number;
  audioSeconds: number;
}

/** What a tenant has used today, and what its live jobs hold. */
export interface UsageNow {
  usedTodaySeconds: number;
  liveSeconds: number;
  liveJobs: number;
}

const TODAY = "(now() AT TIME ZONE 'UTC')::date";

function secondsDone(job: JobRow): number {
  return job.status === "completed" ? (job.duration ?? 0) : ((job.duration ?? 0) * job.progress) / 100;
}

/**
 * Counts a job that has just ended, in the transaction that ends it: all of its audio where it was completed, else as
 * much as was done; `seconds` where it is neither. The row outlives the job.
 */
export async function recordUsage(client: PoolClient, job: JobRow, seconds = secondsDone(job)): Promise<void> {
  const counts = ["completed", "failed", "cancelled"].map((status) => (job.status === status ? 1 : 0));
  await client.query({
    name: "record-usage",
    text: `INSERT INTO usage (tenant_id, day, model, completed, failed, cancelled, audio_seconds)
           VALUES ($1, ${TODAY}, $2, $3, $4, $5, $6)
           ON CONFLICT (tenant_id, day, model) DO UPDATE SET completed = usage.completed + excluded.completed,
             failed = usage.failed + excluded.failed, cancelled = usage.cancelled + excluded.cancelled,
             audio_seconds = usage.audio_seconds + excluded.audio_seconds`,
    values: [job.tenantId, job.model, ...counts, seconds],
  });
}

export async function readUsageNow(client: Pool | PoolClient, tenantId: string): Promise<UsageNow> {
  const { rows } = await client.query<UsageNow>({
    name: "usage-now",
    text: `SELECT
        (SELECT coalesce(sum(audio_seconds), 0) FROM usage WHERE tenant_id = $1 AND day = ${TODAY}) AS "usedTodaySeconds",
        live."liveSeconds", live."liveJobs"
      FROM (SELECT coalesce(sum(audio_seconds), 0) AS "liveSeconds", count(*)::int AS "liveJobs" FROM jobs
            WHERE tenant_id = $1 AND status IN ('pending', 'processing')) AS live`,
    values: [tenantId],
  });
  return rows[0] as UsageNow;
}

/** A tenant's own usage, by day and model. */
export function tenantUsage(db: Database, tenantId: string) {
  return {
    now: (): Promise<UsageNow> => readUsageNow(db.pool, tenantId),

    /** Days from and to, both included; oldest first. */
    async list({ from, to }: { from: string; to: string }): Promise<UsageRow[]> {
      const { rows } = await db.pool.query<UsageRow>(
        `SELECT to_char(day, 'YYYY-MM-DD') AS day, model, completed, failed, cancelled, audio_seconds AS "audioSeconds"
         FROM usage WHERE tenant_id = $1 AND day BETWEEN $2::date AND $3::date ORDER BY usage.day, model`,
        [tenantId, from, to],
      );
      return rows;
    },
  };
}
