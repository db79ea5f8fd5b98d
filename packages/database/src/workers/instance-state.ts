import type { Database } from "../open-database.ts";

export interface InstanceState {
  pending: number;
  processing: number;
  ended: { completed: number; failed: number; cancelled: number };
  /** Rows that are due and taken by nobody, and for how long the oldest of them has been. */
  queues: { queue: "transcription" | "webhooks" | "enhancement"; depth: number; oldestSeconds: number }[];
  /** Audio of pending jobs and the unfinished rest of the running ones. */
  backlog: { model: string; priority: "high" | "normal" | "low"; audioSeconds: number }[];
  /** Live workers by role. */
  workers: { role: string; count: number }[];
  storedBytes: number;
  /** Audio seconds a second that one slot does; null where no job of the last day says. */
  slotSpeed: number | null;
}

/** Jobs that the speed is measured on. */
const MEASURED_JOBS = 100;

/** Everything that is true of the instance as a whole, in one look at one moment. */
const QUERY = `SELECT
  (SELECT count(*)::int FROM jobs WHERE status = 'pending') AS pending,
  (SELECT count(*)::int FROM jobs WHERE status = 'processing') AS processing,
  (SELECT jsonb_build_object('completed', coalesce(sum(completed), 0), 'failed', coalesce(sum(failed), 0),
     'cancelled', coalesce(sum(cancelled), 0)) FROM usage) AS ended,
  (SELECT jsonb_agg(q) FROM (
     SELECT 'transcription' AS queue, count(*) AS depth,
       coalesce(extract(epoch FROM now() - min(next_run_at)), 0) AS "oldestSeconds"
     FROM jobs WHERE status IN ('pending', 'processing') AND next_run_at <= now()
       AND (lease_until IS NULL OR lease_until < now())
     UNION ALL
     SELECT 'webhooks', count(*), coalesce(extract(epoch FROM now() - min(next_run_at)), 0)
     FROM webhook_deliveries WHERE status = 'pending' AND next_run_at <= now()
       AND (lease_until IS NULL OR lease_until < now())
     UNION ALL
     SELECT 'enhancement', count(*), coalesce(extract(epoch FROM now() - min(next_run_at)), 0)
     FROM enhancements WHERE status IN ('pending', 'processing') AND next_run_at <= now()
       AND (lease_until IS NULL OR lease_until < now())
   ) AS q) AS queues,
  (SELECT coalesce(jsonb_agg(b), '[]') FROM (
     SELECT model, CASE priority WHEN 1 THEN 'high' WHEN 2 THEN 'normal' ELSE 'low' END AS priority,
       sum(audio_seconds * (1 - least(greatest(progress, 0), 100) / 100)) AS "audioSeconds"
     FROM jobs WHERE status IN ('pending', 'processing') GROUP BY model, jobs.priority
   ) AS b) AS backlog,
  (SELECT coalesce(jsonb_agg(w), '[]') FROM (
     SELECT role, count(*) AS count FROM workers, unnest(roles) AS role
     WHERE seen_at > now() - interval '30 seconds' GROUP BY role
   ) AS w) AS workers,
  (SELECT coalesce(sum(bytes), 0)::float8 FROM (
     SELECT max(audio_bytes) AS bytes FROM jobs WHERE audio_key IS NOT NULL GROUP BY audio_key
   ) AS stored) AS "storedBytes",
  (SELECT sum(duration) / nullif(sum(extract(epoch FROM completed_at - started_at)), 0) FROM (
     SELECT duration, completed_at, started_at FROM jobs
     WHERE completed_at > now() - interval '1 day' AND status = 'completed' AND duration > 0
     ORDER BY completed_at DESC LIMIT ${MEASURED_JOBS}
   ) AS measured)::float8 AS "slotSpeed"`;

export async function readInstanceState(db: Database): Promise<InstanceState> {
  const { rows } = await db.pool.query<InstanceState>({ name: "instance-state", text: QUERY });
  return rows[0] as InstanceState;
}
