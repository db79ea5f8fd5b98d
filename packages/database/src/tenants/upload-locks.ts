import type { Database } from "../open-database.ts";

/** A lock that is not renewed for this long is nobody's: its replica is gone. */
const HELD_SECONDS = 5;

/** Takes the lock of an upload where nobody holds it. */
export async function takeUploadLock(db: Database, id: string, token: string): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `INSERT INTO upload_locks AS held (id, token, until) VALUES ($1, $2, now() + $3 * interval '1 second')
     ON CONFLICT (id) DO UPDATE SET token = excluded.token, until = excluded.until, wanted = false
     WHERE held.until < now()`,
    [id, token, HELD_SECONDS],
  );
  return rowCount === 1;
}

/** Asks whoever holds it to let go. */
export async function wantUploadLock(db: Database, id: string): Promise<void> {
  await db.pool.query("UPDATE upload_locks SET wanted = true WHERE id = $1", [id]);
}

/** Holds on to a lock; tells to let go where it is wanted, or lost. */
export async function renewUploadLock(db: Database, id: string, token: string): Promise<"held" | "let go"> {
  const { rows } = await db.pool.query<{ wanted: boolean }>(
    `UPDATE upload_locks SET until = now() + $3 * interval '1 second' WHERE id = $1 AND token = $2 RETURNING wanted`,
    [id, token, HELD_SECONDS],
  );
  return rows[0]?.wanted === false ? "held" : "let go";
}

export async function releaseUploadLock(db: Database, id: string, token: string): Promise<void> {
  await db.pool.query("DELETE FROM upload_locks WHERE id = $1 AND token = $2", [id, token]);
}
