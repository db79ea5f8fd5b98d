import { endJob } from "../jobs/end-job.ts";
import { eraseJob } from "../jobs/erase-job.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { auditIn } from "../tenants/audit.ts";
import { type RetentionRun, removeObject } from "./stored-objects.ts";

const PAGE = 100;

/**
 * Erases jobs whose own time is over, each with all that came of it, whatever the policy says and in whatever state: a
 * live one is stopped first, so that who works on it can write no more. Several processes may do so at once.
 */
export async function eraseDueJobs(db: Database, run: RetentionRun): Promise<void> {
  for (;;) {
    const { rows } = await db.pool.query<{ id: string }>(
      "SELECT id FROM jobs WHERE erase_at <= now() ORDER BY erase_at LIMIT $1",
      [PAGE],
    );
    for (const { id } of rows) {
      run.signal.throwIfAborted();
      run.report.scanned += 1;
      const erased = await inTransaction(db, async (client) => {
        await endJob(db, client, id, "cancelled", null, { sql: "id", value: id });
        const found = await eraseJob(client, id, null);
        if (found === null || found === "live") return null;
        const act = { tenantId: found.tenantId, actor: run.actor, action: "job.erased", target: id };
        await auditIn(client, { ...act, detail: { reason: "erase_at" } });
        return found;
      });
      if (erased === null) continue;
      run.report.deleted += 1;
      for (const key of erased.audioKeys) await removeObject(run, key);
    }
    if (rows.length < PAGE) return;
  }
}
