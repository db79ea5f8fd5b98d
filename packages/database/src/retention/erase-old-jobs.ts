import { eraseBatchRow } from "../batches/erase-batch.ts";
import { eraseJob } from "../jobs/erase-job.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { auditIn } from "../tenants/audit.ts";
import { type RetentionRun, removeObject } from "./stored-objects.ts";

const PAGE = 100;

/** Erases jobs that ended longer ago than `hours`, each with all that came of it; an audit row of each stays. */
export async function eraseOldJobs(db: Database, run: RetentionRun, hours: number): Promise<void> {
  for (;;) {
    const { rows } = await db.pool.query<{ id: string }>(
      `SELECT id FROM jobs WHERE completed_at < now() - $1 * interval '1 hour' ORDER BY completed_at LIMIT $2`,
      [hours, PAGE],
    );
    for (const { id } of rows) {
      run.signal.throwIfAborted();
      run.report.scanned += 1;
      const erased = await inTransaction(db, async (client) => {
        const found = await eraseJob(client, id, null);
        if (found === null || found === "live") return null;
        const act = { tenantId: found.tenantId, actor: run.actor, action: "job.erased", target: id };
        await auditIn(client, { ...act, detail: { reason: "JOB_RETENTION_HOURS" } });
        return found;
      });
      if (erased === null) continue;
      run.report.deleted += 1;
      for (const key of erased.audioKeys) await removeObject(run, key);
    }
    if (rows.length < PAGE) return;
  }
}

/** Erases batches that ended longer ago than `hours`, and whose jobs are gone. */
export async function eraseOldBatches(db: Database, run: RetentionRun, hours: number): Promise<void> {
  const { rows } = await db.pool.query<{ id: string; tenantId: string }>(
    `SELECT id, tenant_id AS "tenantId" FROM batches WHERE ended_at < now() - $1 * interval '1 hour'
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE batch_id = batches.id)`,
    [hours],
  );
  for (const { id, tenantId } of rows) {
    run.signal.throwIfAborted();
    run.report.scanned += 1;
    await inTransaction(db, async (client) => {
      await eraseBatchRow(client, tenantId, id);
      const act = { tenantId, actor: run.actor, action: "batch.erased", target: id };
      await auditIn(client, { ...act, detail: { reason: "JOB_RETENTION_HOURS" } });
    });
    run.report.deleted += 1;
  }
}
