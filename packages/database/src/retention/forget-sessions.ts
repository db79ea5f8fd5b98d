import type { Database } from "../open-database.ts";
import type { RetentionRun } from "./stored-objects.ts";

/** A session that has ended is of interest to whoever looks into an incident, for a while. */
const KEPT_DAYS = 30;
/** Used refresh tokens stay as long as their session: that is how a stolen one is known. */
const STATEMENTS = [
  `DELETE FROM sessions WHERE expires_at < now() - $1 * interval '1 day' OR revoked_at < now() - $1 * interval '1 day'`,
  "DELETE FROM invitations WHERE expires_at < now() - $1 * interval '1 day'",
  "DELETE FROM login_attempts WHERE last_at < now() - $1 * interval '1 day'",
];

export async function forgetSessions(db: Database, { report }: RetentionRun): Promise<void> {
  for (const statement of STATEMENTS) {
    const { rowCount } = await db.pool.query(statement, [KEPT_DAYS]);
    report.scanned += rowCount ?? 0;
    report.deleted += rowCount ?? 0;
  }
}
