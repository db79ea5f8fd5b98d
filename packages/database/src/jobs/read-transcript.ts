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

export interface TranscriptRow {
  segments: SegmentRow[];
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
 * In a select list, as `transcript`: the result of the row's job with its segments, or null, for `toTranscript`. In the
 * same statement, and so as all is at the same instant. `jobs` must be named so in the statement.
 */
export const TRANSCRIPT_OF_JOB = `
  (SELECT row_to_json(found) FROM (
    SELECT text, language, language_probability, duration, words_method, speakers, diarization, extra,
      (SELECT coalesce(json_agg(segment ORDER BY index), '[]') FROM (
        SELECT index, start, "end", text, data FROM segments WHERE segments.job_id = transcripts.job_id
      ) AS segment) AS segments
    FROM transcripts WHERE transcripts.job_id = jobs.id
  ) AS found) AS transcript`;

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
  const { rows } = await client.query<{ id: string; transcript: TranscriptRow | null }>(
    `SELECT id, ${TRANSCRIPT_OF_JOB} FROM jobs WHERE id = ANY($1::uuid[])`,
    [jobIds],
  );
  return new Map(rows.flatMap(({ id, transcript }) => (transcript ? [[id, toTranscript(transcript)] as const] : [])));
}

function toSegment({ index, start, end, text, data }: SegmentRow): Segment {
  return { id: index, start, end, text, ...data };
}

/** What was selected with `TRANSCRIPT_OF_JOB`. */
export function toTranscript({
  segments,
  words_method,
  speakers,
  diarization,
  extra,
  ...rest
}: TranscriptRow): Transcript {
  return {
    ...rest,
    segments: segments.map(toSegment),
    ...(words_method === null ? {} : { words_method }),
    ...(speakers.length === 0 ? {} : { speakers }),
    ...(diarization ? { diarization } : {}),
    ...extra,
  };
}
