import type { JobStatus, Segment, Transcript } from "@scribe/domain";
import type { EnhancementLink } from "../enhancements/tenant-enhancements.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { createJob, type NewJob } from "./create-job.ts";
import { endJob } from "./end-job.ts";
import { eraseJob } from "./erase-job.ts";
import { type EqualJob, findEqualJob } from "./find-equal-job.ts";
import { JOB_COLUMNS, type JobRow, toJobRow } from "./job-row.ts";
import { type Idempotency, type KeptAnswer, readKeptAnswer } from "./once.ts";
import { readSegments, readTranscript, TRANSCRIPT_OF_JOB, toTranscript } from "./read-transcript.ts";
import { renameJobSpeakers } from "./rename-job-speakers.ts";
import { type RetryOptions, retryJob } from "./retry-job.ts";
import type { JobEventRow } from "./write-events.ts";

export interface JobFilter {
  limit: number;
  /** The last row of the page before. */
  cursor?: { createdAt: Date; id: string } | undefined;
  status?: JobStatus | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  recordingId?: string | undefined;
  batchId?: string | undefined;
}

/** A job, its result, and what was made of that, oldest version first. */
export interface WholeJob {
  job: JobRow;
  result: Transcript | null;
  enhancements: EnhancementLink[];
}

export interface QueuePosition {
  position: number;
  audio_seconds_ahead: number;
}

export interface JobCounts {
  pending: number;
  processing: number;
  completed: number;
  failed: number;
  /** Had an attempt that failed. */
  retried: number;
  workers: number;
}

/** Where nothing is known of a tenant's recordings: five minutes. */
const USUAL_AUDIO_SECONDS = 300;

/**
 * What a tenant may do with its own jobs. Everything the API knows of jobs goes through here, and every statement is
 * bound to the tenant: an id of another tenant finds nothing, like one that never was.
 */
export function tenantJobs(db: Database, tenantId: string) {
  const mine = async (id: string): Promise<boolean> => {
    const { rowCount } = await db.pool.query("SELECT 1 FROM jobs WHERE id = $1 AND tenant_id = $2", [id, tenantId]);
    return rowCount === 1;
  };

  return {
    create: (job: NewJob, idempotency?: Idempotency): Promise<JobRow> => createJob(db, tenantId, job, idempotency),

    /** A live job that does already what this one would; see `findEqualJob`. */
    findEqual: (job: EqualJob): Promise<JobRow | null> => findEqualJob(db, tenantId, job),

    keptAnswer: (route: string, key: string): Promise<(KeptAnswer & { fingerprint: string }) | null> =>
      readKeptAnswer(db, tenantId, route, key),

    async get(id: string): Promise<JobRow | null> {
      const { rows } = await db.pool.query({
        name: "get-job",
        text: `SELECT ${JOB_COLUMNS} FROM jobs WHERE id = $1 AND tenant_id = $2`,
        values: [id, tenantId],
      });
      return rows.length === 0 ? null : toJobRow(rows[0]);
    },

    /**
     * A job with what came of it: one statement, for who follows a job asks over and over, and each way to the database
     * may be the slow one. `result` is null where it is not wanted or there is none.
     */
    async getWhole(id: string, { withResult }: { withResult: boolean }): Promise<WholeJob | null> {
      const { rows } = await db.pool.query({
        name: withResult ? "get-whole-job" : "get-job-and-versions",
        text: `SELECT ${JOB_COLUMNS}, ${withResult ? TRANSCRIPT_OF_JOB : "NULL AS transcript"},
            (SELECT json_agg(found ORDER BY version) FROM (
              SELECT id, version, status FROM enhancements
              WHERE enhancements.job_id = jobs.id AND enhancements.tenant_id = jobs.tenant_id
            ) AS found) AS enhancements
          FROM jobs WHERE id = $1 AND tenant_id = $2`,
        values: [id, tenantId],
      });
      if (rows.length === 0) return null;
      const { transcript, enhancements, ...job } = rows[0];
      const result = transcript === null ? null : toTranscript(transcript);
      return { job: toJobRow(job), result, enhancements: enhancements ?? [] };
    },

    /** Newest first. */
    async list(filter: JobFilter): Promise<JobRow[]> {
      const values: unknown[] = [tenantId];
      const where = ["tenant_id = $1"];
      const add = (value: unknown, condition: (parameter: string) => string) => {
        if (value === undefined) return;
        values.push(value);
        where.push(condition(`$${values.length}`));
      };
      add(filter.status, (p) => `status = ${p}::job_status`);
      add(filter.createdAfter, (p) => `created_at > ${p}`);
      add(filter.createdBefore, (p) => `created_at < ${p}`);
      add(filter.recordingId, (p) => `recording_id = ${p}`);
      add(filter.batchId, (p) => `batch_id = ${p}::uuid`);
      if (filter.cursor) {
        values.push(filter.cursor.createdAt, filter.cursor.id);
        where.push(`(created_at, id) < ($${values.length - 1}, $${values.length}::uuid)`);
      }
      values.push(filter.limit);
      const { rows } = await db.pool.query(
        `SELECT ${JOB_COLUMNS} FROM jobs WHERE ${where.join(" AND ")}
         ORDER BY created_at DESC, id DESC LIMIT $${values.length}`,
        values,
      );
      return rows.map(toJobRow);
    },

    /** How many wait before a pending job, and their audio; null for any other. */
    async queuePosition(job: JobRow): Promise<QueuePosition | null> {
      if (job.status !== "pending" || job.tenantId !== tenantId) return null;
      const { rows } = await db.pool.query<{ ahead: number; seconds: number }>({
        name: "queue-position",
        text: `SELECT count(*)::int AS ahead, coalesce(sum(audio_seconds), 0) AS seconds FROM jobs
               WHERE status = 'pending' AND (priority, created_at, id) < ($1::smallint, $2::timestamptz, $3::uuid)`,
        values: [job.priority, job.createdAt, job.id],
      });
      return { position: (rows[0]?.ahead ?? 0) + 1, audio_seconds_ahead: Math.round(rows[0]?.seconds ?? 0) };
    },

    async transcript(id: string): Promise<Transcript | null> {
      return (await mine(id)) ? await readTranscript(db.pool, id) : null;
    },

    async segments(id: string): Promise<Segment[]> {
      return (await mine(id)) ? await readSegments(db.pool, id) : [];
    },

    /** Other names for a completed job's speakers, everywhere; null where it is not the tenant's or has none. */
    renameSpeakers: (id: string, names: ReadonlyMap<string, string>): Promise<string[] | null> =>
      renameJobSpeakers(db, tenantId, id, names),

    /** The durable events behind an ordinal, oldest first. */
    async events(id: string, afterOrdinal: number, limit: number): Promise<JobEventRow[]> {
      const { rows } = await db.pool.query<JobEventRow>({
        name: "read-events",
        text: `SELECT e.ordinal, e.type, e.data, e.created_at AS "createdAt" FROM job_events e JOIN jobs j ON j.id = e.job_id
               WHERE e.job_id = $1 AND j.tenant_id = $2 AND e.ordinal > $3 ORDER BY e.ordinal LIMIT $4`,
        values: [id, tenantId, afterOrdinal, limit],
      });
      return rows;
    },

    /** Status, epoch, event and delivery in one transaction; null where the job is not the tenant's. */
    async cancel(id: string): Promise<{ outcome: "cancelled" | "was_terminal"; job: JobRow } | null> {
      if (!(await mine(id))) return null;
      const cancelled = await inTransaction(db, (client) =>
        endJob(db, client, id, "cancelled", null, { sql: "tenant_id", value: tenantId }),
      );
      if (cancelled) return { outcome: "cancelled", job: cancelled };
      const job = await this.get(id);
      return job && { outcome: "was_terminal", job };
    },

    /**
     * Erases a finished job with everything that came of it: what is in the database, and by `removeAudio` the objects
     * that nothing names any more. Where that throws, nothing is erased, and the job is there to be erased again. `live`
     * where it has not ended; null where it is not the tenant's.
     */
    async erase(id: string, removeAudio: (keys: string[]) => Promise<void>): Promise<"erased" | "live" | null> {
      return await inTransaction(db, async (client) => {
        const erased = await eraseJob(client, id, tenantId);
        if (erased === null || erased === "live") return erased;
        await removeAudio(erased.audioKeys);
        return "erased";
      });
    },

    /** A new job in place of one that failed or was cancelled; see `retryJob`. */
    retry: (id: string, options: RetryOptions, idempotency?: Idempotency): Promise<JobRow | null> =>
      retryJob(db, tenantId, id, options, idempotency),

    /**
     * Moves how far a front door has handed out a job's events, from one ordinal to another; false where another call has
     * moved it meanwhile.
     */
    async moveStream(id: string, { from, to }: { from: number; to: number }): Promise<boolean> {
      const { rowCount } = await db.pool.query(
        `UPDATE jobs SET front_door = coalesce(front_door, '{}') || jsonb_build_object('streamed', $4::int)
         WHERE id = $1 AND tenant_id = $2 AND coalesce((front_door ->> 'streamed')::int, 0) = $3`,
        [id, tenantId, from, to],
      );
      return rowCount === 1;
    },

    /** The tenant's jobs by state, and how many workers there are for everybody. */
    async counts(): Promise<JobCounts> {
      const { rows } = await db.pool.query<JobCounts>(
        `SELECT count(*) FILTER (WHERE status = 'pending')::int AS pending,
           count(*) FILTER (WHERE status = 'processing')::int AS processing,
           count(*) FILTER (WHERE status = 'completed')::int AS completed,
           count(*) FILTER (WHERE status = 'failed')::int AS failed,
           count(*) FILTER (WHERE attempts > 0)::int AS retried,
           (SELECT count(*)::int FROM workers WHERE slots > 0 AND seen_at > now() - interval '30 seconds') AS workers
         FROM jobs WHERE tenant_id = $1`,
        [tenantId],
      );
      return rows[0] as JobCounts;
    },

    /** Seconds that a URL's audio probably has: the mean of the tenant's last 100 decoded jobs. */
    async estimateAudioSeconds(): Promise<number> {
      const { rows } = await db.pool.query<{ mean: number | null }>({
        name: "estimate-audio-seconds",
        text: `SELECT avg(duration) AS mean FROM (
                 SELECT duration FROM jobs WHERE tenant_id = $1 AND duration IS NOT NULL ORDER BY created_at DESC LIMIT 100
               ) AS last`,
        values: [tenantId],
      });
      return rows[0]?.mean ?? USUAL_AUDIO_SECONDS;
    },
  };
}

export type TenantJobs = ReturnType<typeof tenantJobs>;
