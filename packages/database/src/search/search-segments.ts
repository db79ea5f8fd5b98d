import type { Database } from "../open-database.ts";
import { searchConfig } from "./search-config.ts";

export interface SearchQuestion {
  /** As people type it: words, "phrases", OR, -not. */
  q: string;
  limit: number;
  /** The last row of the page before. */
  cursor?: SearchPlace | undefined;
  jobId?: string | undefined;
  recordingId?: string | undefined;
  /** ISO 639-1; absent: transcripts of all languages. */
  language?: string | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
}

export interface SearchPlace {
  jobId: string;
  index: number;
}

export interface SearchHit extends SearchPlace {
  recordingId: string | null;
  createdAt: Date;
  start: number;
  end: number;
  speaker: string | null;
  text: string;
  /** What was found, in UTF-16 units of `text`, end exclusive. */
  highlights: { start: number; end: number }[];
}

/** So many of the newest segments are looked through first: what is said often is among them. */
const NEWEST = 1000;

/** Found rows up to this many are sorted; of more, the newest are looked up in their order. */
const FEW = 2000;

/** Characters of private use that no transcript keeps: they mark what was found on its way out of Postgres. */
const [OPEN, CLOSE] = ["\ue000", "\ue001"];

/**
 * Segments of the tenant's completed jobs in which something is said, those of the newest job first. Null where the
 * question has no word that could be looked for (only signs, only words that mean nothing, or only exclusions).
 */
export async function searchSegments(
  db: Database,
  tenantId: string,
  question: SearchQuestion,
): Promise<SearchHit[] | null> {
  const query = await readQuestion(db, tenantId, question);
  if (query === null) return null;
  if (query === "nothing") return [];
  const filter = filterOf(tenantId, query, question);
  const places = (await findNewest(db, filter)) ?? (await findFew(db, filter)) ?? (await findInOrder(db, filter));
  return places.length === 0 ? [] : await readHits(db, query, places);
}

interface Query {
  /** A tsquery as text: the tenant, and for each configuration of its transcripts what the question means there. */
  text: string;
  /** Configuration → what is asked there, without the rest. */
  byConfig: Map<string, string>;
}

/** The question in each configuration that the tenant has transcripts in. */
async function readQuestion(
  db: Database,
  tenantId: string,
  { q, language }: SearchQuestion,
): Promise<Query | "nothing" | null> {
  const { rows } = await db.pool.query<{ config: string; present: boolean; query: string; tree: string }>({
    name: "search-question",
    // The configurations one after the other, each found through the index: a scan would read every row of the tenant.
    text: `WITH RECURSIVE present AS (
        (SELECT config FROM search_segments WHERE tenant_id = $1 ORDER BY config LIMIT 1)
        UNION ALL
        SELECT (SELECT s.config FROM search_segments s WHERE s.tenant_id = $1 AND s.config > p.config
                ORDER BY s.config LIMIT 1)
        FROM present p WHERE p.config IS NOT NULL
      ), asked AS (
        SELECT config, true AS present FROM present WHERE config IS NOT NULL AND ($3::text IS NULL OR config = $3)
        UNION ALL SELECT coalesce($3, 'simple'), false
      )
      SELECT config, present, websearch_to_tsquery(config::regconfig, $2)::text AS query,
        querytree(websearch_to_tsquery(config::regconfig, $2)) AS tree FROM asked`,
    values: [tenantId, q, language === undefined ? null : searchConfig(language)],
  });
  const useful = rows.filter(({ tree }) => tree !== "" && tree !== "T");
  if (useful.length === 0) return null;
  const byConfig = new Map(
    useful.filter(({ present }) => present).map(({ config, query }) => [config, query] as const),
  );
  if (byConfig.size === 0) return "nothing";
  const [only] = byConfig.size === 1 && language === undefined ? byConfig.values() : [];
  // All of the tenant's are of one configuration: asking for it too would only cost time.
  if (only !== undefined) return { text: `'tenant/${tenantId}' & ( ${only} )`, byConfig };
  const either = [...byConfig].map(([config, query]) => `( 'config/${config}' & ( ${query} ) )`).join(" | ");
  return { text: `'tenant/${tenantId}' & ( ${either} )`, byConfig };
}

interface Filter {
  /** Conditions on `s`, a row of search_segments: whose it is, and what else is wanted of it. */
  where: string;
  /** That it is said there. */
  asked: string;
  values: unknown[];
  /** The parameter that holds the page's length. */
  limit: string;
}

/** Ids of jobs rise with time, but are made by clocks that may differ from the database's. */
const CLOCKS_DIFFER_MS = 3_600_000;

function filterOf(tenantId: string, query: Query, question: SearchQuestion): Filter {
  const values: unknown[] = [tenantId, query.text];
  const where = ["s.tenant_id = $1"];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const { jobId, recordingId, createdAfter, createdBefore, cursor, limit } = question;
  if (jobId !== undefined) where.push(`s.job_id = ${parameter(jobId)}::uuid`);
  if (recordingId !== undefined) {
    where.push(`s.job_id IN (SELECT id FROM jobs WHERE tenant_id = $1 AND recording_id = ${parameter(recordingId)})`);
  }
  if (createdAfter !== undefined) {
    where.push(`s.job_id >= ${parameter(idAt(createdAfter.getTime() - CLOCKS_DIFFER_MS))}::uuid`);
    where.push(`(SELECT created_at FROM jobs WHERE id = s.job_id) > ${parameter(createdAfter)}`);
  }
  if (createdBefore !== undefined) {
    where.push(`s.job_id < ${parameter(idAt(createdBefore.getTime() + CLOCKS_DIFFER_MS))}::uuid`);
    where.push(`(SELECT created_at FROM jobs WHERE id = s.job_id) < ${parameter(createdBefore)}`);
  }
  if (cursor !== undefined) {
    const [job, index] = [parameter(cursor.jobId), parameter(cursor.index)];
    where.push(`s.job_id <= ${job}::uuid AND (s.job_id < ${job}::uuid OR s.index > ${index}::int)`);
  }
  return { where: where.join(" AND "), asked: "s.terms @@ $2::tsquery", values, limit: parameter(limit) };
}

/** The smallest UUIDv7 of a time. */
function idAt(timeMs: number): string {
  const hex = Math.min(Math.max(0, Math.floor(timeMs)), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** A page of the newest segments in which it is said; null where that is less than a page. */
async function findNewest({ pool }: Database, { where, asked, values, limit }: Filter): Promise<SearchPlace[] | null> {
  const { rows } = await pool.query<SearchPlace>(
    `SELECT s.job_id AS "jobId", s.index FROM (
       SELECT s.* FROM search_segments s WHERE ${where} ORDER BY s.job_id DESC, s.index LIMIT ${NEWEST}
     ) s WHERE ${asked} ORDER BY s.job_id DESC, s.index LIMIT ${limit}`,
    values,
  );
  return rows.length < (values.at(-1) as number) ? null : rows;
}

/** A page of all that is found, which is sorted; null where it is more than a few. */
async function findFew({ pool }: Database, { where, asked, values, limit }: Filter): Promise<SearchPlace[] | null> {
  // Without a name, so that each question is planned for its own words: those that are common need another way.
  const { rows } = await pool.query<{ found: number; page: SearchPlace[] }>(
    `WITH found AS MATERIALIZED (
       SELECT s.job_id AS "jobId", s.index FROM search_segments s WHERE ${where} AND ${asked} LIMIT ${FEW + 1}
     ), page AS (SELECT * FROM found ORDER BY "jobId" DESC, index LIMIT ${limit})
     SELECT (SELECT count(*)::int FROM found) AS found,
       (SELECT coalesce(json_agg(page ORDER BY page."jobId" DESC, page.index), '[]') FROM page) AS page`,
    values,
  );
  return rows[0]!.found > FEW ? null : rows[0]!.page;
}

/** A page of what is found everywhere: reading in order comes upon enough of it soon. */
async function findInOrder({ pool }: Database, { where, asked, values, limit }: Filter): Promise<SearchPlace[]> {
  const { rows } = await pool.query<SearchPlace>(
    `SELECT s.job_id AS "jobId", s.index FROM search_segments s WHERE ${where} AND ${asked}
     ORDER BY s.job_id DESC, s.index LIMIT ${limit}`,
    values,
  );
  return rows;
}

async function readHits({ pool }: Database, { byConfig }: Query, places: readonly SearchPlace[]): Promise<SearchHit[]> {
  const { rows } = await pool.query<Omit<SearchHit, "highlights"> & { marked: string }>(
    `SELECT s.job_id AS "jobId", s.index, j.recording_id AS "recordingId", j.created_at AS "createdAt", g.start, g."end",
       g.data->>'speaker' AS speaker, g.text,
       ts_headline(s.config::regconfig, translate(left(g.text, $5), $6, '  '), ($4::jsonb->>s.config)::tsquery, $3) AS marked
     FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS p(job_id, index, place)
     JOIN search_segments s ON s.job_id = p.job_id AND s.index = p.index
     JOIN segments g ON g.job_id = s.job_id AND g.index = s.index
     JOIN jobs j ON j.id = s.job_id
     ORDER BY p.place`,
    [
      places.map(({ jobId }) => jobId),
      places.map(({ index }) => index),
      `HighlightAll=true, StartSel="${OPEN}", StopSel="${CLOSE}"`,
      JSON.stringify(Object.fromEntries(byConfig)),
      LONGEST_SNIPPET,
      OPEN + CLOSE,
    ],
  );
  return rows.map(({ marked, ...hit }) => ({ ...hit, text: unmark(marked), highlights: readMarks(marked) }));
}

/** Segments are sentences; of one that is a chapter the beginning is shown. */
const LONGEST_SNIPPET = 2000;

const unmark = (marked: string): string => marked.replaceAll(OPEN, "").replaceAll(CLOSE, "");

function readMarks(marked: string): { start: number; end: number }[] {
  const highlights: { start: number; end: number }[] = [];
  let [from, removed] = [0, 0];
  for (;;) {
    const start = marked.indexOf(OPEN, from);
    const end = marked.indexOf(CLOSE, start);
    if (start < 0 || end < 0) return highlights;
    highlights.push({ start: start - removed, end: end - removed - 1 });
    removed += 2;
    from = end + 1;
  }
}
