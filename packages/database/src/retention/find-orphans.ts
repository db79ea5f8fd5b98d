import type { Database } from "../open-database.ts";
import { countFailure, type RetentionRun, removeObject } from "./stored-objects.ts";

/** Where audio lies; what else is in the bucket is none of ours. */
const PREFIXES = ["audio/", "uploads/"];

/** An object that was just stored is named by a row that is about to be committed. */
const YOUNG_MS = 3_600_000;
const PAGE = 500;

/** Removes objects that no row names: what was stored for a commit that never came. */
export async function removeOrphanObjects(db: Database, run: RetentionRun): Promise<void> {
  for (const prefix of PREFIXES) {
    let page: string[] = [];
    for await (const { key, modifiedAt } of run.objects.list(prefix, { signal: run.signal })) {
      if (Date.now() - modifiedAt.getTime() < YOUNG_MS) continue;
      page.push(key);
      if (page.length < PAGE) continue;
      await removeUnnamed(db, run, page);
      page = [];
    }
    await removeUnnamed(db, run, page);
  }
  run.report.deleted += await run.objects.sweepTemporary({ signal: run.signal });
}

/** The parts of a resumable upload lie below the key that its row names. */
async function removeUnnamed(db: Database, run: RetentionRun, keys: string[]): Promise<void> {
  run.report.scanned += keys.length;
  const { rows } = await db.pool.query<{ key: string }>(
    `SELECT key FROM unnest($1::text[]) AS given(key)
     WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE audio_key = key) 
       AND NOT EXISTS (SELECT 1 FROM uploads WHERE storage_key IN (key, regexp_replace(key, '/part-[0-9]+$', '')))`,
    [keys],
  );
  for (const { key } of rows) await removeObject(run, key);
}

/**
 * Finds rows that name an object which is not there (a disk that was lost, a bucket that was emptied), so that they
 * promise nothing: an upload is discarded, an ended job can no longer be tried again. A live job's attempt tells by itself.
 */
export async function settleOrphanRows(db: Database, run: RetentionRun): Promise<void> {
  const named = async (after: string) =>
    (
      await db.pool.query<{ key: string }>(
        `SELECT DISTINCT key FROM (
           SELECT audio_key AS key FROM jobs WHERE audio_key > $1 AND completed_at IS NOT NULL
           UNION ALL
           SELECT storage_key FROM uploads WHERE storage_key > $1 AND state = 'stored' AND created_at < now() - interval '1 hour'
         ) AS named ORDER BY key LIMIT $2`,
        [after, PAGE],
      )
    ).rows;
  for (let rows = await named(""); rows.length > 0; rows = await named(rows.at(-1)?.key ?? "")) {
    for (const { key } of rows) {
      run.signal.throwIfAborted();
      run.report.scanned += 1;
      if (await isThere(run, key)) continue;
      await db.pool.query("UPDATE jobs SET audio_key = NULL WHERE audio_key = $1 AND completed_at IS NOT NULL", [key]);
      await db.pool.query("UPDATE uploads SET state = 'discarded' WHERE storage_key = $1 AND state = 'stored'", [key]);
      run.report.deleted += 1;
    }
  }
}

async function isThere({ objects, report, signal }: RetentionRun, key: string): Promise<boolean> {
  try {
    return (await objects.stat(key, { signal })) !== null;
  } catch {
    signal.throwIfAborted();
    countFailure(report, "storage could not be asked for an object");
    return true;
  }
}
