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
  return rows.map(({ index, start, end, text, data }) => ({ id: index, start, end, text, ...data }));
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

/** The result of a completed job, or null where it has none. The caller has checked whose job it is. */
export async function readTranscript(client: Pool | PoolClient, jobId: string): Promise<Transcript | null> {
  const { rows } = await client.query<TranscriptRow>(
    `SELECT text, language, language_probability, duration, words_method, speakers, diarization, extra
     FROM transcripts WHERE job_id = $1`,
    [jobId],
  );
  const row = rows[0];
  if (!row) return null;
  const { words_method, speakers, diarization, extra, ...rest } = row;
  return {
    ...rest,
    segments: await readSegments(client, jobId),
    ...(words_method === null ? {} : { words_method }),
    ...(speakers.length === 0 ? {} : { speakers }),
    ...(diarization ? { diarization } : {}),
    ...extra,
  };
}
