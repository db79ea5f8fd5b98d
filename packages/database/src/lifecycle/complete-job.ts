import type { DiarizationTurn, Segment } from "@scribe/domain";
import type { PoolClient } from "pg";
import { countEnded } from "../batches/count-ended.ts";
import { enhanceCompleted } from "../enhancements/enhance-completed.ts";
import { JOB_COLUMNS, toJobRow } from "../jobs/job-row.ts";
import { tellStatus } from "../jobs/write-events.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { indexTranscript } from "../search/index-transcript.ts";
import { recordUsage } from "../tenants/usage.ts";
import type { Lease } from "./claim-job.ts";

export interface JobOutcome {
  text: string;
  language: string | null;
  languageProbability: number | null;
  /** Seconds of audio. */
  duration: number;
  wordsMethod?: string | undefined;
  speakers?: readonly string[] | undefined;
  diarization?: { method: string; num_speakers: number; turns: DiarizationTurn[] } | undefined;
  /** Only the segments that later steps changed; the windows wrote the rest. */
  changedSegments?: readonly Segment[] | undefined;
  /** How many segments there are; those beyond, which the windows wrote, go. */
  segmentCount?: number | undefined;
  /** Where a lexicon changed it: the text as it was heard. */
  originalText?: string | undefined;
  warnings: readonly string[];
  /** Under which equal jobs find this result; none where they shall not. */
  cacheKey?: string | undefined;
  /** It is the copy of an earlier job's. */
  cached?: boolean | undefined;
}

/**
 * Commits a job: transcript, status, events and webhook delivery in one transaction. False: the lease was lost, and
 * nothing was written.
 */
export async function completeJob(db: Database, lease: Lease, outcome: JobOutcome): Promise<boolean> {
  return await inTransaction(db, (client) => completeIn(db, client, lease, outcome));
}

/** The same, inside a transaction. */
export async function completeIn(
  db: Database,
  client: PoolClient,
  lease: Lease,
  outcome: JobOutcome,
): Promise<boolean> {
  const { rows } = await client.query({
    name: "complete-job",
    // The transcript comes of the updated row: a cancel that commits first leaves none behind.
    text: `WITH done AS (
        UPDATE jobs SET status = 'completed', phase = 'finalizing', progress = 100, completed_at = now(),
          updated_at = now(), lease_until = NULL, dispatched_at = NULL, checkpoint = NULL, diarization_checkpoint = NULL,
          provider_account_encrypted = NULL,
          language = coalesce($4, language), duration = $6, warnings = $10, cache_key = $12, next_ordinal = next_ordinal + 2
        WHERE id = $1 AND lease_epoch = $2 AND status = 'processing'
        RETURNING ${JOB_COLUMNS}
      ), transcript AS (
        INSERT INTO transcripts (job_id, text, language, language_probability, duration, words_method, speakers, diarization, extra)
        SELECT id, $3, $4, $5, $6, $7, $8, $9, $11 FROM done
      )
      SELECT * FROM done`,
    values: [
      lease.jobId,
      lease.epoch,
      outcome.text,
      outcome.language,
      outcome.languageProbability,
      outcome.duration,
      outcome.wordsMethod ?? null,
      [...(outcome.speakers ?? [])],
      outcome.diarization === undefined ? null : JSON.stringify(outcome.diarization),
      JSON.stringify(outcome.warnings),
      JSON.stringify({
        ...(outcome.originalText === undefined ? {} : { original_text: outcome.originalText }),
        ...(outcome.cached ? { cached: true } : {}),
      }),
      outcome.cacheKey ?? null,
    ],
  });
  if (rows.length === 0) return false;
  if (outcome.changedSegments && outcome.changedSegments.length > 0) {
    const changed = outcome.changedSegments.map(({ id, start, end, text, ...data }) => ({
      index: id,
      start,
      end,
      text,
      data,
    }));
    await client.query(
      `INSERT INTO segments (job_id, index, start, "end", text, data)
       SELECT $1, given.index, given.start, given."end", given.text, given.data
       FROM jsonb_to_recordset($2::jsonb)
         AS given(index int, start double precision, "end" double precision, text text, data jsonb)
       ON CONFLICT (job_id, index) DO UPDATE
         SET start = excluded.start, "end" = excluded."end", text = excluded.text, data = excluded.data`,
      [lease.jobId, JSON.stringify(changed)],
    );
  }
  if (outcome.segmentCount !== undefined) {
    await client.query("DELETE FROM segments WHERE job_id = $1 AND index >= $2", [lease.jobId, outcome.segmentCount]);
  }
  const job = toJobRow(rows[0]);
  await indexTranscript(client, job);
  await tellStatus(db, client, job, job.nextOrdinal - 2);
  await enhanceCompleted(client, job);
  await recordUsage(client, job, outcome.cached ? 0 : undefined);
  if (job.batchId !== null) await countEnded(db, client, job.batchId, { completed: 1 });
  return true;
}
