import type { DiarizationTurn } from "@scribe/domain";
import type { PoolClient } from "pg";
import { JOB_COLUMNS, type JobRow, toJobRow } from "../jobs/job-row.ts";
import { tellStatus } from "../jobs/write-events.ts";
import { type Database, inTransaction } from "../open-database.ts";
import type { Lease } from "./claim-job.ts";
import { completeIn } from "./complete-job.ts";

/**
 * Ends a job with a copy of an equal job's result, which the tenant must still have: segments, their events, transcript
 * and all that a completion does, in one transaction.
 */
export async function completeFromCache(
  db: Database,
  lease: Lease,
  tenantId: string,
  cacheKey: string,
): Promise<"completed" | "missing" | "lost"> {
  return await inTransaction(db, async (client) => {
    const source = await findCached(client, tenantId, [cacheKey]);
    if (source === null) return "missing";
    return (await copyResult(db, client, lease, source)) ? "completed" : "lost";
  });
}

/**
 * Inside the transaction that made a job: ends it with an equal job's result, as if a worker had taken it at once. Null
 * where there is none, and nothing was written.
 */
export async function completeAtOnce(
  db: Database,
  client: PoolClient,
  { id, tenantId }: Pick<JobRow, "id" | "tenantId">,
  cacheKeys: readonly string[],
): Promise<JobRow | null> {
  const source = await findCached(client, tenantId, cacheKeys);
  if (source === null) return null;
  const { rows } = await client.query(
    `UPDATE jobs SET lease_epoch = lease_epoch + 1, status = 'processing', started_at = now(), updated_at = now(),
       next_ordinal = next_ordinal + 1 WHERE id = $1 RETURNING ${JOB_COLUMNS}`,
    [id],
  );
  const job = toJobRow(rows[0]);
  await tellStatus(db, client, job, job.nextOrdinal - 1);
  await copyResult(db, client, { jobId: id, epoch: job.leaseEpoch }, source);
  const { rows: ended } = await client.query(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = $1`, [id]);
  return toJobRow(ended[0]);
}

/** The newest job with such a result, locked, so that nobody erases it meanwhile. */
async function findCached(client: PoolClient, tenantId: string, cacheKeys: readonly string[]): Promise<string | null> {
  const { rows } = await client.query<{ id: string }>({
    name: "find-cached",
    text: `SELECT id FROM jobs WHERE tenant_id = $1 AND cache_key = ANY($2::char(64)[]) AND status = 'completed'
           ORDER BY completed_at DESC LIMIT 1 FOR SHARE`,
    values: [tenantId, cacheKeys],
  });
  return rows[0]?.id ?? null;
}

interface SourceRow {
  text: string;
  language: string | null;
  language_probability: number | null;
  duration: number;
  words_method: string | null;
  speakers: string[];
  diarization: { method: string; num_speakers: number; turns: DiarizationTurn[] } | null;
  warnings: string[];
  originalText: string | null;
}

/** False where the lease was lost; then nothing was written. */
async function copyResult(db: Database, client: PoolClient, lease: Lease, sourceId: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `WITH held AS (
       UPDATE jobs SET next_ordinal = next_ordinal + (SELECT count(*)::int FROM segments WHERE job_id = $3), updated_at = now()
       WHERE id = $1 AND lease_epoch = $2 AND status = 'processing'
       RETURNING id, next_ordinal - (SELECT count(*)::int FROM segments WHERE job_id = $3) AS first
     ), given AS (
       SELECT held.id, held.first, index, start, "end", text, data, row_number() OVER (ORDER BY index) - 1 AS n
       FROM held, segments WHERE job_id = $3
     ), copied AS (
       INSERT INTO segments (job_id, index, start, "end", text, data)
       SELECT id, index, start, "end", text, data FROM given
     ), told AS (
       INSERT INTO job_events (job_id, ordinal, type, data)
       SELECT id, first + n, 'segment', jsonb_build_object('id', index, 'start', start, 'end', "end", 'text', text) || data
       FROM given
     )
     SELECT 1 FROM held`,
    [lease.jobId, lease.epoch, sourceId],
  );
  if (rowCount !== 1) return false;
  const { rows } = await client.query<SourceRow>(
    `SELECT text, transcripts.language, language_probability, transcripts.duration, words_method, speakers, diarization, warnings,
       extra->>'original_text' AS "originalText"
     FROM transcripts JOIN jobs ON jobs.id = job_id WHERE job_id = $1`,
    [sourceId],
  );
  const source = rows[0] as SourceRow;
  return await completeIn(db, client, lease, {
    text: source.text,
    language: source.language,
    languageProbability: source.language_probability,
    duration: source.duration,
    wordsMethod: source.words_method ?? undefined,
    speakers: source.speakers,
    diarization: source.diarization ?? undefined,
    warnings: source.warnings,
    originalText: source.originalText ?? undefined,
    cached: true,
  });
}
