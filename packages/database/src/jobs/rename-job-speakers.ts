import { RequestError, renameInSegment, renameSpeakers, type Transcript } from "@scribe/domain";
import { type Database, inTransaction } from "../open-database.ts";
import { readSegments } from "./read-transcript.ts";

/** Segments written by one statement. */
const AT_ONCE = 5000;

/**
 * Gives the speakers of a completed job other names, all at once: in its list, its turns, its segments and their words.
 * Returns the new list; null where the job is not the tenant's, or has no transcript.
 *
 * @throws RequestError `invalid_request` for a speaker that there is not, or a name that two would have
 */
export async function renameJobSpeakers(
  db: Database,
  tenantId: string,
  jobId: string,
  names: ReadonlyMap<string, string>,
): Promise<string[] | null> {
  return await inTransaction(db, async (client) => {
    // Locked, so that of two renamings at once the second sees the first's names.
    const { rows } = await client.query<{ speakers: string[]; diarization: Transcript["diarization"] | null }>(
      `SELECT t.speakers, t.diarization FROM transcripts t JOIN jobs j ON j.id = t.job_id
       WHERE j.id = $1 AND j.tenant_id = $2 FOR UPDATE OF t`,
      [jobId, tenantId],
    );
    const [row] = rows;
    if (!row) return null;
    checkNames(row.speakers, names);
    const { speakers, diarization } = renameSpeakers(
      { speakers: row.speakers, ...(row.diarization && { diarization: row.diarization }) },
      names,
    );
    await client.query("UPDATE transcripts SET speakers = $2, diarization = $3 WHERE job_id = $1", [
      jobId,
      speakers,
      diarization ? JSON.stringify(diarization) : null,
    ]);
    // The names are this job's own: no other may be answered with them.
    await client.query("UPDATE jobs SET cache_key = NULL WHERE id = $1 AND cache_key IS NOT NULL", [jobId]);
    const segments = await readSegments(client, jobId);
    for (let from = 0; from < segments.length; from += AT_ONCE) {
      const changed = segments.slice(from, from + AT_ONCE).map((segment) => {
        const { id, start: _start, end: _end, text: _text, ...data } = renameInSegment(segment, names);
        return { index: id, data };
      });
      await client.query(
        `UPDATE segments SET data = given.data FROM jsonb_to_recordset($2::jsonb) AS given(index int, data jsonb)
         WHERE segments.job_id = $1 AND segments.index = given.index`,
        [jobId, JSON.stringify(changed)],
      );
    }
    return speakers;
  });
}

function checkNames(speakers: readonly string[], names: ReadonlyMap<string, string>): void {
  const refuse = (speaker: string, message: string) => {
    const path = `speakers.${speaker}`.slice(0, 200);
    throw new RequestError("invalid_request", `\`${path}\` ${message}.`, { errors: [{ path, message }] });
  };
  for (const speaker of names.keys()) {
    if (!speakers.includes(speaker)) refuse(speaker, "is no speaker of this job");
  }
  const taken = new Set<string>();
  for (const speaker of speakers) {
    const name = names.get(speaker) ?? speaker;
    if (taken.has(name)) refuse(speaker, "would have the name of another speaker");
    taken.add(name);
  }
}
