import { WEBHOOK_BODY_LIMIT_BYTES, type WebhookEvent } from "@scribe/domain";
import type { PoolClient } from "pg";
import type { JobRow } from "../jobs/job-row.ts";
import { readTranscript } from "../jobs/read-transcript.ts";
import type { Database } from "../open-database.ts";

/**
 * The exact text that every try of a delivery sends. A result that would make it larger than 256 KiB is left out, and
 * `result_url` names where to get it.
 */
export async function webhookBody(
  db: Database,
  client: PoolClient,
  job: JobRow,
  type: WebhookEvent,
  sequence: number,
): Promise<string> {
  const data: Record<string, unknown> = {
    job_id: job.id,
    recording_id: job.recordingId,
    status: job.status,
    progress: job.progress,
    sequence,
    metadata: job.metadata,
  };
  const render = () => JSON.stringify({ type, timestamp: job.updatedAt.toISOString(), data });
  if (job.error !== null) data.error = job.error;
  if (job.status !== "completed") return render();

  if (await isSmall(client, job.id)) {
    data.result = await readTranscript(client, job.id);
    const body = render();
    if (Buffer.byteLength(body) <= WEBHOOK_BODY_LIMIT_BYTES) return body;
    delete data.result;
  }
  data.result_url = `${db.publicUrl}/api/v1/jobs/${job.id}`;
  return render();
}

/** Asked first, so that a day of words is not read only to be left out. */
async function isSmall(client: PoolClient, jobId: string): Promise<boolean> {
  const { rows } = await client.query<{ bytes: string }>(
    "SELECT coalesce(sum(octet_length(text) + pg_column_size(data)), 0) AS bytes FROM segments WHERE job_id = $1",
    [jobId],
  );
  return Number(rows[0]?.bytes ?? 0) <= WEBHOOK_BODY_LIMIT_BYTES;
}
