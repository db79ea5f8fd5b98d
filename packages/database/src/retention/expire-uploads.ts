import { type Database, inTransaction } from "../open-database.ts";
import { auditIn } from "../tenants/audit.ts";
import { type RetentionRun, removeObject } from "./stored-objects.ts";

const PAGE = 100;

/** Erases uploads whose time is over and that no job uses: what a job uses goes with the audio of that job. */
export async function expireUploads(db: Database, run: RetentionRun): Promise<void> {
  for (;;) {
    const { rows } = await db.pool.query<{ id: string; tenantId: string; key: string }>(
      `SELECT id, tenant_id AS "tenantId", storage_key AS key FROM uploads
       WHERE expires_at < now() AND NOT EXISTS (SELECT 1 FROM jobs WHERE audio_key = storage_key) LIMIT $1`,
      [PAGE],
    );
    for (const { id, tenantId, key } of rows) {
      run.signal.throwIfAborted();
      run.report.scanned += 1;
      await inTransaction(db, async (client) => {
        await client.query("DELETE FROM uploads WHERE id = $1", [id]);
        const act = { tenantId, actor: run.actor, action: "upload.erased", target: id };
        await auditIn(client, { ...act, detail: { reason: "unused" } });
      });
      await removeObject(run, key);
    }
    if (rows.length < PAGE) return;
  }
}
