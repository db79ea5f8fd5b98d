import { type Database, inTransaction } from "../open-database.ts";

export type OutboxKind = "transcription" | "webhooks";

/** A row that was put into the window: the message's id is made of both, its priority orders it among the others. */
export interface DispatchedRow {
  id: string;
  dispatch: number;
  /** 1 (first) … 2,000,000, for BullMQ. */
  priority: number;
}

/** Width of a priority class: within one, a tenant's share decides. */
const CLASS_WIDTH = 600_000;

/** Held while jobs are chosen: two dispatchers that count at once would both fill a tenant's last place. */
const JOB_CHOICE_LOCK = 7_204_514;

/**
 * Chooses jobs for the free places of the window: by priority, then by how many of its tenant's jobs are running or in
 * the window already, then by age. A tenant has no more of them there than its limit of jobs at once.
 */
async function dispatchJobs(db: Database, window: number, maxConcurrentJobs: number): Promise<DispatchedRow[]> {
  const { rows } = await inTransaction(db, async (client) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [JOB_CHOICE_LOCK]);
    return await client.query<{ id: string; dispatch: number; priority: number; share: number }>({
      name: "dispatch-jobs",
      text: `WITH free AS (
        SELECT greatest(0, $1 - (SELECT count(*) FROM jobs WHERE dispatched_at IS NOT NULL)) AS places
      ), busy AS (
        SELECT tenant_id, count(*) AS jobs FROM jobs
        WHERE dispatched_at IS NOT NULL OR (status = 'processing' AND lease_until >= now()) GROUP BY tenant_id
      ), candidates AS (
        SELECT due.id, due.priority, due.created_at,
          coalesce(busy.jobs, 0) + row_number() OVER (PARTITION BY tenants.id, due.priority ORDER BY due.created_at, due.id) AS share,
          coalesce(busy.jobs, 0) + row_number() OVER (PARTITION BY tenants.id ORDER BY due.priority, due.created_at, due.id) AS place,
          coalesce((tenants.limits->>'concurrent_jobs')::int, nullif($2::int, 0), 2147483647) AS places
        FROM tenants LEFT JOIN busy ON busy.tenant_id = tenants.id CROSS JOIN LATERAL (
          SELECT id, priority, created_at FROM jobs
          WHERE tenant_id = tenants.id AND status IN ('pending', 'processing') AND dispatched_at IS NULL
            AND next_run_at <= now() AND (lease_until IS NULL OR lease_until < now())
          ORDER BY priority, created_at, id LIMIT (SELECT places FROM free)
        ) AS due
      ), chosen AS (
        SELECT id, share FROM candidates WHERE place <= places ORDER BY priority, share, created_at, id LIMIT (SELECT places FROM free)
      ), locked AS (
        SELECT jobs.id FROM jobs JOIN chosen USING (id)
        WHERE jobs.dispatched_at IS NULL AND jobs.status IN ('pending', 'processing')
          AND jobs.next_run_at <= now() AND (jobs.lease_until IS NULL OR jobs.lease_until < now())
        FOR UPDATE OF jobs SKIP LOCKED
      )
      UPDATE jobs SET dispatched_at = now(), dispatch_count = dispatch_count + 1
      FROM locked JOIN chosen USING (id) WHERE jobs.id = locked.id
      RETURNING jobs.id, jobs.dispatch_count AS dispatch, jobs.priority, chosen.share::int AS share`,
      values: [window, maxConcurrentJobs],
    });
  });
  return rows.map(({ id, dispatch, priority, share }) => ({
    id,
    dispatch,
    priority: (priority - 1) * CLASS_WIDTH + Math.min(share, CLASS_WIDTH - 1) + 1,
  }));
}

/** Tries that an endpoint has at once, in the window or under way. */
const ENDPOINT_LIMIT = 4;

/** Held while deliveries are chosen: two dispatchers that count at once would both fill an endpoint's last place. */
const DELIVERY_CHOICE_LOCK = 7_204_512;

/**
 * Chooses deliveries for the free places of the window: of each endpoint its oldest, as many as it has places. Endpoints
 * are found by skipping through the index, so that a long queue at one of them costs the others nothing.
 */
async function dispatchDeliveries(db: Database, window: number): Promise<DispatchedRow[]> {
  return await inTransaction(db, async (client) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [DELIVERY_CHOICE_LOCK]);
    const { rows } = await client.query<{ id: string; dispatch: number }>({
      name: "dispatch-deliveries",
      text: `WITH RECURSIVE endpoints AS (
          (SELECT endpoint_id FROM webhook_deliveries WHERE status = 'pending' AND dispatched_at IS NULL
           ORDER BY endpoint_id LIMIT 1)
          UNION ALL
          SELECT (
            SELECT next.endpoint_id FROM webhook_deliveries AS next
            WHERE next.status = 'pending' AND next.dispatched_at IS NULL AND next.endpoint_id > endpoints.endpoint_id
            ORDER BY next.endpoint_id LIMIT 1
          ) FROM endpoints WHERE endpoints.endpoint_id IS NOT NULL
        ), busy AS (
          SELECT endpoint_id, count(*) AS tries FROM webhook_deliveries
          WHERE dispatched_at IS NOT NULL OR lease_until > now() GROUP BY endpoint_id
        ), chosen AS (
          SELECT due.id FROM endpoints LEFT JOIN busy USING (endpoint_id) CROSS JOIN LATERAL (
            SELECT id, next_run_at FROM webhook_deliveries AS delivery
            WHERE delivery.endpoint_id = endpoints.endpoint_id AND status = 'pending' AND dispatched_at IS NULL
              AND next_run_at <= now() AND (lease_until IS NULL OR lease_until < now())
            ORDER BY next_run_at LIMIT greatest(0, $2 - coalesce(busy.tries, 0))
          ) AS due
          ORDER BY due.next_run_at
          LIMIT greatest(0, $1 - (SELECT count(*) FROM webhook_deliveries WHERE dispatched_at IS NOT NULL))
        )
        UPDATE webhook_deliveries SET dispatched_at = now(), dispatch_count = dispatch_count + 1
        WHERE id IN (
          SELECT id FROM webhook_deliveries JOIN chosen USING (id)
          WHERE status = 'pending' AND dispatched_at IS NULL FOR UPDATE OF webhook_deliveries SKIP LOCKED
        ) RETURNING id, dispatch_count AS dispatch`,
      values: [window, ENDPOINT_LIMIT],
    });
    return rows.map((row) => ({ ...row, priority: 1 }));
  });
}

const TABLES = { transcription: "jobs", webhooks: "webhook_deliveries" } as const;

/** Puts due rows into the window until it holds `window`; the caller then sends their messages. */
export async function dispatchRows(
  db: Database,
  kind: OutboxKind,
  window: number,
  /** Of one tenant without a limit of its own; 0: no limit. */
  maxConcurrentJobs = 0,
): Promise<DispatchedRow[]> {
  return kind === "transcription"
    ? await dispatchJobs(db, window, maxConcurrentJobs)
    : await dispatchDeliveries(db, window);
}

/** Rows whose message was sent longer ago than `seconds` and that nobody has claimed. */
export async function findUnclaimed(
  db: Database,
  kind: OutboxKind,
  seconds: number,
): Promise<{ id: string; dispatch: number }[]> {
  const { rows } = await db.pool.query<{ id: string; dispatch: number }>(
    `SELECT id, dispatch_count AS dispatch FROM ${TABLES[kind]} WHERE dispatched_at < now() - $1 * interval '1 second'`,
    [seconds],
  );
  return rows;
}

/** Takes rows out of the window whose message is not there, so that they are sent again. Counts what it mended. */
export async function undispatch(
  db: Database,
  kind: OutboxKind,
  rows: readonly { id: string; dispatch: number }[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const { rowCount } = await db.pool.query(
    `UPDATE ${TABLES[kind]} AS t SET dispatched_at = NULL
     FROM unnest($1::uuid[], $2::int[]) AS lost(id, dispatch)
     WHERE t.id = lost.id AND t.dispatch_count = lost.dispatch AND t.dispatched_at IS NOT NULL`,
    [rows.map(({ id }) => id), rows.map(({ dispatch }) => dispatch)],
  );
  return rowCount ?? 0;
}

/**
 * Seconds until the next row is due, or null where none waits: the dispatcher sleeps no longer than that. Rows that have
 * been due for more than `overdueSeconds` are left out: they wait for a place, not for a time.
 */
export async function secondsUntilDue(
  db: Database,
  kind: OutboxKind,
  overdueSeconds: number | null = null,
): Promise<number | null> {
  const waiting = kind === "transcription" ? "status IN ('pending', 'processing')" : "status = 'pending'";
  // Two looks at the beginning of an index each, however many rows wait: by time, and by the end of a lease.
  const first = (column: string, condition: string) =>
    `(SELECT greatest(next_run_at, lease_until) AS due FROM ${TABLES[kind]}
      WHERE ${waiting} AND dispatched_at IS NULL AND ${condition}
        AND ${column} > coalesce(now() - $1 * interval '1 second', '-infinity') ORDER BY ${column} LIMIT 1)`;
  const { rows } = await db.pool.query<{ seconds: number | null }>({
    name: `seconds-until-due-${kind}`,
    text: `SELECT extract(epoch FROM min(due) - now())::float8 AS seconds FROM (
        ${first("next_run_at", "lease_until IS NULL")} UNION ALL ${first("lease_until", "lease_until IS NOT NULL")}
      ) AS soonest`,
    values: [overdueSeconds],
  });
  const seconds = rows[0]?.seconds ?? null;
  return seconds === null ? null : Math.max(0, seconds);
}
