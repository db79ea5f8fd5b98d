import type { PoolClient } from "pg";
import { searchConfig } from "./search-config.ts";

/** Postgres refuses vectors over a megabyte; no segment comes near. */
const LONGEST_TEXT = 100_000;

/**
 * Inside the transaction that completes a job, after its segments are written: makes them findable. What is stored is
 * what is indexed, so nothing that was redacted can be found.
 */
export async function indexTranscript(
  client: PoolClient,
  job: { id: string; tenantId: string; language: string | null },
): Promise<void> {
  const config = searchConfig(job.language);
  await client.query(
    `INSERT INTO search_segments (job_id, index, tenant_id, config, terms)
     SELECT job_id, index, $2::uuid, $3::text, to_tsvector($3::text::regconfig, left(text, ${LONGEST_TEXT}))
       || array_to_tsvector(ARRAY['tenant/' || $2::uuid::text, 'config/' || $3::text])
     FROM segments WHERE job_id = $1 AND text <> ''`,
    [job.id, job.tenantId, config],
  );
}
