import { type Database, inTransaction } from "../open-database.ts";
import type { DispatchedRow } from "./dispatch-rows.ts";

export interface JobRules {
  /** Jobs of one tenant, without a limit of its own, in the window or at work at once; 0: no limit. */
  maxConcurrentJobs: number;
  /** A job that has waited this long counts as one class higher, for as often; 0: never. */
  ageingSeconds: number;
}

/** Width of a priority class: within one, a tenant's share decides. */
export const CLASS_WIDTH = 600_000;

/** Held while jobs are chosen: two dispatchers that count at once would both fill a tenant's last place. */
const JOB_CHOICE_LOCK = 7_204_514;

/** The class that a job has come to by a moment: 1 is first. */
const classAt = (moment: string, ageing: string) =>
  `greatest(1, priority - CASE WHEN ${ageing} > 0 THEN floor(extract(epoch FROM ${moment} - created_at) / ${ageing})::int ELSE 0 END)`;

/**
 * Chooses jobs for the free places of the window: by class, then by how many of its tenant's jobs are running or in the
 * window already, then by age. A tenant has no more of them there than its limit of jobs at once.
 *
 * The window has as many places again for jobs that overtake all that is in it: the first of a higher class, and the
 * first of a tenant that has none at work. Otherwise such a job would wait for a place, and then for a worker, one after the other.
 */
export async function dispatchJobs(
  db: Database,
  window: number,
  { maxConcurrentJobs, ageingSeconds }: JobRules,
): Promise<DispatchedRow[]> {
  const { rows } = await inTransaction(db, async (client) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [JOB_CHOICE_LOCK]);
    return await client.query<{ id: string; dispatch: number; class: number; share: number }>({
      name: "dispatch-jobs",
      text: `WITH room AS (
        SELECT greatest(0, $1 - count(*)) AS places, greatest(0, 2 * $1 - count(*)) AS reserve,
          coalesce(min(${classAt("now()", "$3::int")}), 1) AS best
        FROM jobs WHERE dispatched_at IS NOT NULL
      ), busy AS (
        SELECT tenant_id, count(*) AS jobs FROM jobs
        WHERE dispatched_at IS NOT NULL OR (status = 'processing' AND lease_until >= now()) GROUP BY tenant_id
      ), candidates AS (
        SELECT due.id, due.class, due.created_at,
          coalesce(busy.jobs, 0) + row_number() OVER (PARTITION BY tenants.id, due.class ORDER BY due.created_at, due.id) AS share,
          coalesce(busy.jobs, 0) + row_number() OVER (PARTITION BY tenants.id ORDER BY due.class, due.created_at, due.id) AS place,
          coalesce((tenants.limits->>'concurrent_jobs')::int, nullif($2::int, 0), 2147483647) AS places
        FROM tenants LEFT JOIN busy ON busy.tenant_id = tenants.id CROSS JOIN generate_series(1, 3) AS of_priority CROSS JOIN LATERAL (
          SELECT id, created_at, ${classAt("now()", "$3::int")} AS class FROM jobs
          WHERE tenant_id = tenants.id AND status IN ('pending', 'processing') AND dispatched_at IS NULL
            AND priority = of_priority AND next_run_at <= now() AND (lease_until IS NULL OR lease_until < now())
          ORDER BY created_at, id LIMIT (SELECT least(reserve, greatest(1, places)) FROM room)
        ) AS due
      ), ranked AS (
        SELECT id, class, share, row_number() OVER (ORDER BY class, share, created_at, id) AS rank
        FROM candidates WHERE place <= places
      ), chosen AS (
        SELECT id, ranked.class, share FROM ranked, room WHERE rank <= places
          OR (rank <= reserve AND (ranked.class < best OR (ranked.class = best AND share = 1)))
      ), locked AS (
        SELECT jobs.id FROM jobs JOIN chosen USING (id)
        WHERE jobs.dispatched_at IS NULL AND jobs.status IN ('pending', 'processing')
          AND jobs.next_run_at <= now() AND (jobs.lease_until IS NULL OR jobs.lease_until < now())
        FOR UPDATE OF jobs SKIP LOCKED
      )
      UPDATE jobs SET dispatched_at = now(), dispatch_count = dispatch_count + 1
      FROM locked JOIN chosen USING (id) WHERE jobs.id = locked.id
      RETURNING jobs.id, jobs.dispatch_count AS dispatch, chosen.class::int AS class, chosen.share::int AS share`,
      values: [window, maxConcurrentJobs, ageingSeconds],
    });
  });
  return rows.map(({ id, dispatch, class: at, share }) => ({
    id,
    dispatch,
    priority: (at - 1) * CLASS_WIDTH + Math.min(share, CLASS_WIDTH - 1) + 1,
  }));
}

/**
 * Takes jobs out of the window that have come to a higher class since they were sent, so that they are sent again with
 * it: in the queue they would be overtaken for ever. What was sent before stays a hint like any other. Counts them.
 */
export async function promoteAged(db: Database, ageingSeconds: number): Promise<number> {
  if (ageingSeconds === 0) return 0;
  const { rowCount } = await db.pool.query({
    name: "promote-aged",
    text: `UPDATE jobs SET dispatched_at = NULL WHERE dispatched_at IS NOT NULL AND priority > 1
             AND ${classAt("now()", "$1::int")} < ${classAt("dispatched_at", "$1::int")}`,
    values: [ageingSeconds],
  });
  return rowCount ?? 0;
}
