import { type Database, inTransaction } from "../open-database.ts";
import { CLASS_WIDTH, dispatchJobs, type JobRules } from "./dispatch-jobs.ts";

export type OutboxKind = "transcription" | "webhooks" | "enhancement";

/** A row that was put into the window: the message's id is made of both, its priority orders it among the others. */
export interface DispatchedRow {
  id: string;
  dispatch: number;
  /** 1 (first) … 2,000,000, for BullMQ. */
  priority: number;
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

/**
 * Chooses enhancements for the free places of the window: the tenant with the fewest at work or in the window first, then
 * by age.
 */
async function dispatchEnhancements(db: Database, window: number): Promise<DispatchedRow[]> {
  const { rows } = await db.pool.query<{ id: string; dispatch: number; share: number }>({
    name: "dispatch-enhancements",
    text: `WITH free AS (
        SELECT greatest(0, $1 - (SELECT count(*) FROM enhancements WHERE dispatched_at IS NOT NULL)) AS places
      ), busy AS (
        SELECT tenant_id, count(*) AS rows FROM enhancements
        WHERE dispatched_at IS NOT NULL OR lease_until >= now() GROUP BY tenant_id
      ), chosen AS (
        SELECT due.id, coalesce(busy.rows, 0) + row_number() OVER (PARTITION BY tenant_id ORDER BY due.created_at, due.id) AS share
        FROM enhancements AS due LEFT JOIN busy USING (tenant_id)
        WHERE status IN ('pending', 'processing') AND dispatched_at IS NULL AND next_run_at <= now()
          AND (lease_until IS NULL OR lease_until < now())
        ORDER BY share, due.created_at, due.id LIMIT (SELECT places FROM free)
      ), locked AS (
        SELECT enhancements.id FROM enhancements JOIN chosen USING (id)
        WHERE enhancements.dispatched_at IS NULL AND status IN ('pending', 'processing')
        FOR UPDATE OF enhancements SKIP LOCKED
      )
      UPDATE enhancements SET dispatched_at = now(), dispatch_count = dispatch_count + 1
      FROM locked JOIN chosen USING (id) WHERE enhancements.id = locked.id
      RETURNING enhancements.id, dispatch_count AS dispatch, chosen.share::int AS share`,
    values: [window],
  });
  return rows.map(({ id, dispatch, share }) => ({ id, dispatch, priority: Math.min(share, CLASS_WIDTH) }));
}

const TABLES = { transcription: "jobs", webhooks: "webhook_deliveries", enhancement: "enhancements" } as const;

/** Puts due rows into the window until it holds `window`; the caller then sends their messages. */
export async function dispatchRows(
  db: Database,
  kind: OutboxKind,
  window: number,
  { maxConcurrentJobs = 0, ageingSeconds = 0 }: Partial<JobRules> = {},
): Promise<DispatchedRow[]> {
  switch (kind) {
    case "transcription":
      return await dispatchJobs(db, window, { maxConcurrentJobs, ageingSeconds });
    case "webhooks":
      return await dispatchDeliveries(db, window);
    case "enhancement":
      return await dispatchEnhancements(db, window);
  }
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
  const waiting = kind === "webhooks" ? "status = 'pending'" : "status IN ('pending', 'processing')";
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
