import { eraseEnhancement } from "../enhancements/erase-enhancement.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { auditIn } from "../tenants/audit.ts";
import type { RetentionRun } from "./stored-objects.ts";

const PAGE = 100;

/** Erases what was made of texts that came with their requests; what was made of a transcript goes with its job. */
export async function eraseOldEnhancements(db: Database, run: RetentionRun, hours: number): Promise<void> {
  for (;;) {
    const { rows } = await db.pool.query<{ id: string }>(
      `SELECT id FROM enhancements
       WHERE job_id IS NULL AND completed_at < now() - $1 * interval '1 hour' ORDER BY completed_at LIMIT $2`,
      [hours, PAGE],
    );
    for (const { id } of rows) {
      run.signal.throwIfAborted();
      run.report.scanned += 1;
      const erased = await inTransaction(db, async (client) => {
        const found = await eraseEnhancement(client, id, null);
        if (found === null || found === "live") return false;
        const act = { tenantId: found.tenantId, actor: run.actor, action: "enhancement.erased", target: id };
        await auditIn(client, { ...act, detail: { reason: "JOB_RETENTION_HOURS" } });
        return true;
      });
      if (erased) run.report.deleted += 1;
    }
    if (rows.length < PAGE) return;
  }
}
