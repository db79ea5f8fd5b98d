import { type Database, inTransaction } from "../open-database.ts";
import { auditIn } from "../tenants/audit.ts";
import { type RetentionRun, removeObject } from "./stored-objects.ts";

const PAGE = 100;

/** Erases audio whose last job ended longer ago than `hours`. The jobs and their transcripts stay. */
export async function releaseAudio(db: Database, run: RetentionRun, hours: number): Promise<void> {
  for (;;) {
    const { rows } = await db.pool.query<{ key: string }>(
      `SELECT audio_key AS key FROM jobs WHERE audio_key IS NOT NULL GROUP BY audio_key
       HAVING bool_and(completed_at IS NOT NULL) AND max(completed_at) < now() - $1 * interval '1 hour'
         AND NOT EXISTS (SELECT 1 FROM uploads WHERE storage_key = audio_key AND expires_at > now())
       LIMIT $2`,
      [hours, PAGE],
    );
    for (const { key } of rows) {
      run.signal.throwIfAborted();
      run.report.scanned += 1;
      // Written down before the object goes: what is named nowhere is found as an orphan should the removal fail.
      if (await forget(db, run, key)) await removeObject(run, key);
    }
    if (rows.length < PAGE) return;
  }
}

/** False where a job has come that needs it. */
async function forget(db: Database, run: RetentionRun, key: string): Promise<boolean> {
  return await inTransaction(db, async (client) => {
    // A retry locks the row that it takes the audio from: it is seen here, or sees that the audio is gone.
    const { rows } = await client.query<{ id: string; tenantId: string }>(
      `SELECT id, tenant_id AS "tenantId" FROM jobs WHERE audio_key = $1 ORDER BY id FOR UPDATE`,
      [key],
    );
    const { rowCount: live } = await client.query(
      "SELECT 1 FROM jobs WHERE audio_key = $1 AND completed_at IS NULL LIMIT 1",
      [key],
    );
    if (live !== 0) return false;
    await client.query("UPDATE jobs SET audio_key = NULL WHERE audio_key = $1", [key]);
    await client.query("DELETE FROM uploads WHERE storage_key = $1", [key]);
    for (const { id, tenantId } of rows) {
      const detail = { reason: "AUDIO_RETENTION_HOURS" };
      await auditIn(client, { tenantId, actor: run.actor, action: "audio.erased", target: id, detail });
    }
    return true;
  });
}
