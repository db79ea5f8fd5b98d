import type { Database } from "../open-database.ts";

/** When tries are locked out: from the `after`-th on, for `firstSeconds`, twice as long each time, `mostSeconds` at most. */
export interface LockOut {
  after: number;
  firstSeconds: number;
  mostSeconds: number;
}

/** Who has not tried for this long begins anew. */
const FORGET_SECONDS = 3600;

export type Attempt = { admitted: true; locks: boolean } | { admitted: false; retryAfterSeconds: number };

/**
 * Counts a try before its password is looked at, in one statement, so that a thousand at the same moment are a thousand.
 * The try that reaches the limit is still looked at, and locks out those after it; `clearAttempts` takes that back.
 */
export async function countAttempt(db: Database, bucket: string, lock: LockOut): Promise<Attempt> {
  const { rows } = await db.pool.query<{ locks: boolean }>({
    name: "count-attempt",
    text: `INSERT INTO login_attempts AS a (bucket, count) VALUES ($1, 1)
      ON CONFLICT (bucket) DO UPDATE SET
        count = CASE WHEN a.last_at < now() - $5 * interval '1 second' THEN 1 ELSE a.count + 1 END,
        last_at = now(),
        locked_until = CASE WHEN a.last_at >= now() - $5 * interval '1 second' AND a.count + 1 >= $2
          THEN now() + least($4, $3 * power(2, least(a.count + 1 - $2, 20))) * interval '1 second' END
      WHERE a.locked_until IS NULL OR a.locked_until <= now()
      RETURNING a.locked_until IS NOT NULL AS locks`,
    values: [bucket, lock.after, lock.firstSeconds, lock.mostSeconds, FORGET_SECONDS],
  });
  const row = rows[0];
  if (row !== undefined) return { admitted: true, locks: row.locks };
  const { rows: locked } = await db.pool.query<{ seconds: number }>({
    name: "locked-for",
    text: `SELECT ceil(extract(epoch FROM locked_until - now()))::int AS seconds FROM login_attempts WHERE bucket = $1`,
    values: [bucket],
  });
  return { admitted: false, retryAfterSeconds: Math.max(1, locked[0]?.seconds ?? 1) };
}

/** The right password came: the account's tries are forgotten, the address's are one fewer. */
export async function clearAttempts(
  db: Database,
  { account, address }: { account: string; address: string },
): Promise<void> {
  await db.pool.query(
    `WITH cleared AS (DELETE FROM login_attempts WHERE bucket = $1)
     UPDATE login_attempts SET count = greatest(count - 1, 0), locked_until = NULL WHERE bucket = $2`,
    [account, address],
  );
}
