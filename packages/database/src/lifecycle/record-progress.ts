import type { EngineCheckpoint, JobPhase, Segment } from "@scribe/domain";
import { PHASE_PROGRESS } from "@scribe/domain";
import type { Database } from "../open-database.ts";
import type { Lease } from "./claim-job.ts";

// Each write here carries the lease's epoch; false means that it was refused, and that the work must stop.

/** Where the fetched audio lies; later attempts read it from there. */
export async function recordAudio(
  db: Database,
  lease: Lease,
  audio: { key: string; sha256: string; bytes: number },
): Promise<boolean> {
  return await fenced(db, lease, "audio_key = $3, audio_sha256 = $4, audio_bytes = $5", [
    audio.key,
    audio.sha256,
    audio.bytes,
  ]);
}

/** The phase that begins now. Progress rises to where the phase before it ended, and never falls. */
export async function recordPhase(db: Database, lease: Lease, phase: JobPhase, progress?: number): Promise<boolean> {
  return await fenced(db, lease, "phase = $3, progress = greatest(progress, $4)", [phase, progress ?? startOf(phase)]);
}

/** What decoding found: the length replaces the estimate. */
export async function recordDecoded(
  db: Database,
  lease: Lease,
  decoded: { durationSeconds: number; warnings: readonly string[] },
): Promise<boolean> {
  return await fenced(
    db,
    lease,
    "duration = $3, audio_seconds = $3, warnings = $4, phase = 'transcribing', progress = greatest(progress, $5)",
    [decoded.durationSeconds, JSON.stringify(decoded.warnings), PHASE_PROGRESS.decoding],
  );
}

/** The checkpoint did not hold: its provisional segments go, and the windows come again. */
export async function recordRestart(db: Database, lease: Lease): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `WITH held AS (
       UPDATE jobs SET checkpoint = NULL, updated_at = now()
       WHERE id = $1 AND lease_epoch = $2 AND status = 'processing' RETURNING id
     ), gone AS (DELETE FROM segments USING held WHERE segments.job_id = held.id)
     SELECT 1 FROM held`,
    [lease.jobId, lease.epoch],
  );
  return rowCount === 1;
}

export interface FinishedWindow {
  /** Ids go on from the job's last segment. */
  segments: readonly Segment[];
  progress: number;
  language?: string | null | undefined;
  checkpoint: EngineCheckpoint;
}

/**
 * One statement for a finished window: segments, their events, progress and the checkpoint. A segment that watchers
 * have seen before (after a restart) is stored again, but not told again.
 */
export async function recordWindow(db: Database, lease: Lease, window: FinishedWindow): Promise<boolean> {
  const segments = window.segments.map(({ id, start, end, text, ...data }) => ({ index: id, start, end, text, data }));
  const { rowCount } = await db.pool.query({
    name: "record-window",
    text: `WITH told AS (
        SELECT (data->>'id')::int AS index FROM job_events WHERE job_id = $1 AND type = 'segment' ORDER BY ordinal DESC LIMIT 1
      ), held AS (
        UPDATE jobs SET phase = 'transcribing', progress = greatest(progress, $3), checkpoint = $4, crashes = 0,
          language = coalesce($5, language), next_ordinal = next_ordinal + $6, updated_at = now()
        WHERE id = $1 AND lease_epoch = $2 AND status = 'processing'
        RETURNING id, next_ordinal - $6 AS first
      ), given AS (
        SELECT held.id AS job_id, held.first, given.index, given.start, given."end", given.text, given.data,
          row_number() OVER (ORDER BY given.index) - 1 AS n
        FROM held, jsonb_to_recordset($7::jsonb)
          AS given(index int, start double precision, "end" double precision, text text, data jsonb)
      ), stored AS (
        INSERT INTO segments (job_id, index, start, "end", text, data)
        SELECT job_id, index, start, "end", text, data FROM given
        ON CONFLICT (job_id, index) DO UPDATE
          SET start = excluded.start, "end" = excluded."end", text = excluded.text, data = excluded.data
      ), events AS (
        INSERT INTO job_events (job_id, ordinal, type, data)
        SELECT job_id, first + n, 'segment',
          jsonb_build_object('id', index, 'start', start, 'end', "end", 'text', text) || data
        FROM given WHERE index > coalesce((SELECT index FROM told), -1)
      )
      SELECT 1 FROM held`,
    values: [
      lease.jobId,
      lease.epoch,
      window.progress,
      JSON.stringify(window.checkpoint),
      window.language ?? null,
      segments.length,
      JSON.stringify(segments),
    ],
  });
  return rowCount === 1;
}

function startOf(phase: JobPhase): number {
  const phases = Object.keys(PHASE_PROGRESS) as JobPhase[];
  const before = phases[phases.indexOf(phase) - 1];
  return before === undefined ? 0 : PHASE_PROGRESS[before];
}

async function fenced(db: Database, { jobId, epoch }: Lease, set: string, values: unknown[]): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE jobs SET ${set}, updated_at = now() WHERE id = $1 AND lease_epoch = $2 AND status = 'processing'`,
    [jobId, epoch, ...values],
  );
  return rowCount === 1;
}
