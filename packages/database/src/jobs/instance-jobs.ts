import type { JobErrorView, JobStatus } from "@scribe/domain";
import type { Database } from "../open-database.ts";

/** A job as the operator sees it: how it goes, not what was said in it. */
export interface InstanceJob {
  id: string;
  tenantId: string;
  tenant: string;
  status: JobStatus;
  phase: string;
  progress: number;
  engine: string;
  model: string;
  attempts: number;
  crashes: number;
  audioSeconds: number;
  workerId: string | null;
  error: JobErrorView | null;
  createdAt: Date;
  startedAt: Date | null;
  completedAt: Date | null;
}

export interface InstanceJobFilter {
  limit: number;
  /** The last id of the page before: ids rise with time. */
  before?: string | undefined;
  status?: JobStatus | undefined;
  tenantId?: string | undefined;
}

/** For the operator alone: jobs of all tenants, newest first. */
export async function listInstanceJobs(db: Database, filter: InstanceJobFilter): Promise<InstanceJob[]> {
  const values: unknown[] = [];
  const where: string[] = [];
  const add = (value: unknown, condition: (parameter: string) => string) => {
    if (value === undefined) return;
    values.push(value);
    where.push(condition(`$${values.length}`));
  };
  add(filter.before, (p) => `j.id < ${p}::uuid`);
  add(filter.status, (p) => `j.status = ${p}::job_status`);
  add(filter.tenantId, (p) => `j.tenant_id = ${p}::uuid`);
  values.push(filter.limit);
  const { rows } = await db.pool.query<InstanceJob>(
    `SELECT j.id, j.tenant_id AS "tenantId", t.name AS tenant, j.status, j.phase, j.progress, j.engine, j.model,
       j.attempts, j.crashes, j.audio_seconds AS "audioSeconds", j.worker_id AS "workerId", j.error,
       j.created_at AS "createdAt", j.started_at AS "startedAt", j.completed_at AS "completedAt"
     FROM jobs j JOIN tenants t ON t.id = j.tenant_id ${where.length > 0 ? `WHERE ${where.join(" AND ")}` : ""}
     ORDER BY j.id DESC LIMIT $${values.length}`,
    values,
  );
  return rows;
}

export interface QueueState {
  name: "transcription" | "webhooks" | "enhancement";
  /** Due or not, not begun. */
  waiting: number;
  /** Of them, those whose message is in the queue. */
  dispatched: number;
  running: number;
  /** Seconds that the oldest waits; null where none does. */
  oldestSeconds: number | null;
  /** Of jobs that have not ended. */
  audioSeconds: number;
}

/** For the operator alone: what waits and what runs, of all tenants. */
export async function readQueueStates(db: Database): Promise<QueueState[]> {
  const { rows } = await db.pool.query<QueueState>(
    `SELECT 'transcription' AS name, count(*) FILTER (WHERE lease_until IS NULL)::int AS waiting,
       count(*) FILTER (WHERE dispatched_at IS NOT NULL)::int AS dispatched,
       count(*) FILTER (WHERE lease_until IS NOT NULL)::int AS running,
       extract(epoch FROM now() - min(created_at) FILTER (WHERE lease_until IS NULL))::float8 AS "oldestSeconds",
       coalesce(sum(audio_seconds), 0) AS "audioSeconds"
     FROM jobs WHERE status IN ('pending', 'processing')
     UNION ALL
     SELECT 'webhooks', count(*) FILTER (WHERE lease_until IS NULL)::int, count(*) FILTER (WHERE dispatched_at IS NOT NULL)::int,
       count(*) FILTER (WHERE lease_until IS NOT NULL)::int,
       extract(epoch FROM now() - min(created_at) FILTER (WHERE lease_until IS NULL))::float8, 0
     FROM webhook_deliveries WHERE status = 'pending'
     UNION ALL
     SELECT 'enhancement', count(*) FILTER (WHERE lease_until IS NULL)::int, count(*) FILTER (WHERE dispatched_at IS NOT NULL)::int,
       count(*) FILTER (WHERE lease_until IS NOT NULL)::int,
       extract(epoch FROM now() - min(created_at) FILTER (WHERE lease_until IS NULL))::float8, 0
     FROM enhancements WHERE status IN ('pending', 'processing')`,
  );
  return rows;
}
