import type { Segment, Transcript } from "@scribe/domain";
import type { Pool, PoolClient } from "pg";

interface SegmentRow {
  index: number;
  start: number;
  end: number;
  text: string;
  data: Omit<Segment, "id" | "start" | "end" | "text">;
}

/** The segments of a job in order, finished or provisional. The caller has checked whose job it is. */
export async function readSegments(client: Pool | PoolClient, jobId: string): Promise<Segment[]> {
  const { rows } = await client.query<SegmentRow>(
    `SELECT index, start, "end", text, data FROM segments WHERE job_id = $1 ORDER BY index`,
    [jobId],
  );
  return rows.map(toSegment);
}

interface TranscriptRow {
  text: string;
  language: string | null;
  language_probability: number | null;
  duration: number;
  words_method: string | null;
  speakers: string[];
  diarization: Transcript["diarization"] | null;
  extra: Pick<Transcript, "original_text" | "cached">;
}

/**
 * A select list's `transcript` and `segments`, for `readFound`: the result of the row's job in the same statement, and
 * so as it is at the same instant; provisional segments are none. `jobs` must be named so in the statement.
 */
export const TRANSCRIPT_OF_JOB = `
  (SELECT row_to_json(found) FROM (
    SELECT text, language, language_probability, duration, words_method, speakers, diarization, extra
    FROM transcripts WHERE transcripts.job_id = jobs.id
  ) AS found) AS transcript,
  (SELECT json_agg(found ORDER BY index) FROM (
    SELECT index, start, "end", text, data FROM segments
    WHERE segments.job_id = jobs.id AND jobs.status = 'completed'
  ) AS found) AS segments`;

export interface FoundTranscript {
  transcript: TranscriptRow | null;
  /** Null where there are none. */
  segments: SegmentRow[] | null;
}

/** What was selected with `TRANSCRIPT_OF_JOB`; null where the job has no result. */
export function readFound({ transcript, segments }: FoundTranscript): Transcript | null {
  return transcript === null ? null : toTranscript(transcript, (segments ?? []).map(toSegment));
}

/** The result of a completed job, or null where it has none. The caller has checked whose job it is. */
export async function readTranscript(client: Pool | PoolClient, jobId: string): Promise<Transcript | null> {
  return (await readTranscripts(client, [jobId])).get(jobId) ?? null;
}

/** The results of several jobs, by id; those that have none are not among them. */
export async function readTranscripts(
  client: Pool | PoolClient,
  jobIds: readonly string[],
): Promise<Map<string, Transcript>> {
  if (jobIds.length === 0) return new Map();
  const { rows } = await client.query<TranscriptRow & { id: string }>(
    `SELECT job_id AS id, text, language, language_probability, duration, words_method, speakers, diarization, extra
     FROM transcripts WHERE job_id = ANY($1::uuid[])`,
    [jobIds],
  );
  const segments = await readSegmentsOf(
    client,
    rows.map(({ id }) => id),
  );
  return new Map(rows.map(({ id, ...row }) => [id, toTranscript(row, segments.get(id) ?? [])]));
}

async function readSegmentsOf(client: Pool | PoolClient, jobIds: readonly string[]): Promise<Map<string, Segment[]>> {
  if (jobIds.length === 1) return new Map([[jobIds[0]!, await readSegments(client, jobIds[0]!)]]);
  const { rows } = await client.query<SegmentRow & { id: string }>(
    `SELECT job_id AS id, index, start, "end", text, data FROM segments WHERE job_id = ANY($1::uuid[]) ORDER BY job_id, index`,
    [jobIds],
  );
  const byJob = new Map<string, Segment[]>();
  for (const { id, ...row } of rows) {
    const segments = byJob.get(id) ?? [];
    segments.push(toSegment(row));
    byJob.set(id, segments);
  }
  return byJob;
}

function toSegment({ index, start, end, text, data }: SegmentRow): Segment {
  return { id: index, start, end, text, ...data };
}

function toTranscript(row: TranscriptRow, segments: Segment[]): Transcript {
  const { words_method, speakers, diarization, extra, ...rest } = row;
  return {
    ...rest,
    segments,
    ...(words_method === null ? {} : { words_method }),
    ...(speakers.length === 0 ? {} : { speakers }),
    ...(diarization ? { diarization } : {}),
    ...extra,
  };
}
