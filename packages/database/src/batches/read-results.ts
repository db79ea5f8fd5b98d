import type { JobErrorView, JobStatus, Transcript } from "@scribe/domain";
import { readTranscripts } from "../jobs/read-transcript.ts";
import type { Database } from "../open-database.ts";

/** What came of one line of a batch. */
export interface BatchResult {
  line: number;
  jobId: string;
  recordingId: string | null;
  metadata: Record<string, unknown>;
  status: JobStatus;
  duration: number | null;
  result: Transcript | null;
  error: JobErrorView | null;
}

const PAGE = 100;

/** Audio whose transcripts are read at once, in seconds: some megabytes of words. A longer one is read alone. */
const AT_ONCE_SECONDS = 3600;

/**
 * The ended jobs of a batch in the order of their lines. No more is read than whoever iterates asks for: a few transcripts
 * at once, however many there are.
 */
export async function* readResults(db: Database, tenantId: string, batchId: string): AsyncGenerator<BatchResult> {
  for (let after = 0; ; ) {
    const { rows } = await db.pool.query<Omit<BatchResult, "result">>({
      name: "batch-results",
      text: `SELECT batch_line AS line, id AS "jobId", recording_id AS "recordingId", metadata, status, duration, error FROM jobs
             WHERE batch_id = $1 AND tenant_id = $2 AND batch_line > $3 ORDER BY batch_line LIMIT $4`,
      values: [batchId, tenantId, after, PAGE],
    });
    const ended = rows.filter(({ status }) => status !== "pending" && status !== "processing");
    for (const some of groupByDuration(ended)) {
      const completed = some.filter(({ status }) => status === "completed").map(({ jobId }) => jobId);
      const transcripts = await readTranscripts(db.pool, completed);
      for (const job of some) {
        const result = transcripts.get(job.jobId) ?? null;
        // One that was erased in between is left out.
        if (job.status !== "completed" || result !== null) yield { ...job, result };
      }
    }
    after = rows.at(-1)?.line ?? 0;
    if (rows.length < PAGE) return;
  }
}

function groupByDuration<T extends { duration: number | null }>(jobs: readonly T[]): T[][] {
  const groups: T[][] = [];
  let seconds = Number.POSITIVE_INFINITY;
  for (const job of jobs) {
    seconds += job.duration ?? 0;
    if (seconds > AT_ONCE_SECONDS) {
      groups.push([]);
      seconds = job.duration ?? 0;
    }
    groups.at(-1)?.push(job);
  }
  return groups;
}
