import { Client } from "pg";
import type { Database } from "../open-database.ts";
import { inTransaction } from "../open-database.ts";
import { auditIn } from "../tenants/audit.ts";
import { eraseDueJobs } from "./erase-due-jobs.ts";
import { eraseOldEnhancements } from "./erase-old-enhancements.ts";
import { eraseOldBatches, eraseOldJobs } from "./erase-old-jobs.ts";
import { expireUploads } from "./expire-uploads.ts";
import { removeOrphanObjects, settleOrphanRows } from "./find-orphans.ts";
import { forgetPings } from "./forget-pings.ts";
import { forgetSessions } from "./forget-sessions.ts";
import { releaseAudio } from "./release-audio.ts";
import { type CleanupReport, countFailure, type RetentionRun, type StoredObjects } from "./stored-objects.ts";

export interface RetentionPolicy {
  /** After the last job that uses it ended. */
  audioHours: number;
  /** Of jobs with their transcripts; 0 keeps them. */
  jobHours: number;
}

export interface RetentionOptions {
  db: Database;
  objects: StoredObjects;
  policy: RetentionPolicy;
  /** `retention`, or the public id of the key that asked. */
  actor: string;
  signal: AbortSignal;
}

/** A session's lock, so that one process at a time cleans. */
const RETENTION_LOCK = 7_204_513;

/**
 * Erases what is too old and what nothing names: jobs, audio, unused uploads, kept answers, orphans on both sides. What
 * fails is counted and left to the next run. `busy` where another process is at it.
 */
export async function runRetention(options: RetentionOptions): Promise<CleanupReport | "busy"> {
  const { db, signal } = options;
  // A connection of its own, past any pooler: the lock is the session's, and ends with it.
  const session = new Client({
    connectionString: db.directUrl,
    application_name: "scribe-retention",
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  session.on("error", () => undefined);
  await session.connect();
  try {
    const { rows } = await session.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1) AS got", [RETENTION_LOCK]);
    if (rows[0]?.got !== true) return "busy";
    signal.throwIfAborted();
    return await clean(options);
  } finally {
    await session.end().catch(() => undefined);
  }
}

/** What cannot wait for the next run: jobs whose own time is over. Several processes may do so at once. */
export async function eraseDue({
  db,
  objects,
  actor,
  signal,
}: Omit<RetentionOptions, "policy">): Promise<CleanupReport> {
  const report: CleanupReport = { scanned: 0, deleted: 0, failed: 0, errors: [] };
  await eraseDueJobs(db, { objects, report, actor, signal });
  return report;
}

async function clean({ db, objects, policy, actor, signal }: RetentionOptions): Promise<CleanupReport> {
  const report: CleanupReport = { scanned: 0, deleted: 0, failed: 0, errors: [] };
  const run: RetentionRun = { objects, report, actor, signal };
  const steps: [what: string, step: () => Promise<void>][] = [
    ["jobs whose time is over", () => eraseDueJobs(db, run)],
    ["jobs", async () => (policy.jobHours > 0 ? await eraseOldJobs(db, run, policy.jobHours) : undefined)],
    [
      "enhancements",
      async () => (policy.jobHours > 0 ? await eraseOldEnhancements(db, run, policy.jobHours) : undefined),
    ],
    ["batches", async () => (policy.jobHours > 0 ? await eraseOldBatches(db, run, policy.jobHours) : undefined)],
    ["audio", () => releaseAudio(db, run, policy.audioHours)],
    ["uploads", () => expireUploads(db, run)],
    ["kept answers", () => expireAnswers(db, run)],
    ["pings", () => forgetPings(db, run)],
    ["sessions", () => forgetSessions(db, run)],
    ["orphaned objects", () => removeOrphanObjects(db, run)],
    ["orphaned rows", () => settleOrphanRows(db, run)],
  ];
  for (const [what, step] of steps) {
    try {
      await step();
    } catch (error) {
      signal.throwIfAborted();
      if (!isStorageFailure(error)) throw error;
      countFailure(report, `storage did not answer while looking at ${what}`);
    }
  }
  if (report.deleted > 0 || report.failed > 0) {
    const { scanned, deleted, failed } = report;
    await inTransaction(db, (client) =>
      auditIn(client, { actor, action: "retention.run", detail: { scanned, deleted, failed } }),
    );
  }
  return report;
}

async function expireAnswers(db: Database, { report }: RetentionRun): Promise<void> {
  const { rowCount } = await db.pool.query("DELETE FROM idempotency_records WHERE expires_at < now()");
  report.scanned += rowCount ?? 0;
  report.deleted += rowCount ?? 0;
}

/** The stores' errors carry this name; one that is away must not keep the database from being cleaned. */
function isStorageFailure(error: unknown): boolean {
  return error instanceof Error && error.name === "StorageError";
}
