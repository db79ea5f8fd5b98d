import type { Database } from "@scribe/database";
import type { JobPhase } from "@scribe/domain";
import type { Logger } from "@scribe/telemetry";
import type { JobListener, JobNotification } from "./notifications.ts";

interface Watched {
  listeners: Set<JobListener>;
  nextOrdinal: number;
  progress: number;
  phase: JobPhase | null;
}

interface JobGlance {
  id: string;
  nextOrdinal: number;
  progress: number;
  phase: JobPhase;
}

/** All watched jobs' rows in one query, every `intervalMs`, while any job is watched. */
export function watchByPolling(db: Database, log: Logger, intervalMs: number) {
  const jobs = new Map<string, Watched>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const tell = (jobId: string, notification: JobNotification) => {
    for (const listener of jobs.get(jobId)?.listeners ?? []) listener(notification);
  };

  const look = async (): Promise<void> => {
    try {
      const { rows } = await db.pool.query<JobGlance>({
        name: "glance",
        text: `SELECT id, next_ordinal AS "nextOrdinal", progress, phase FROM jobs WHERE id = ANY($1::uuid[])`,
        values: [[...jobs.keys()]],
      });
      for (const row of rows) compare(row);
      // A job that was erased is news too: its watchers read, and find nothing.
      const there = new Set(rows.map(({ id }) => id));
      for (const id of jobs.keys()) if (!there.has(id)) tell(id, { type: "events" });
    } catch (error) {
      log.debug({ err: error }, "watched jobs could not be read");
    }
    timer = undefined;
    schedule();
  };

  const compare = (row: JobGlance) => {
    const watched = jobs.get(row.id);
    if (!watched) return;
    const { nextOrdinal, progress, phase } = watched;
    Object.assign(watched, { nextOrdinal: row.nextOrdinal, progress: row.progress, phase: row.phase });
    if (row.nextOrdinal !== nextOrdinal) tell(row.id, { type: "events" });
    if (row.progress !== progress || row.phase !== phase) {
      tell(row.id, { type: "progress", progress: row.progress, phase: row.phase });
    }
  };

  const schedule = () => {
    if (timer === undefined && jobs.size > 0 && !closed) timer = setTimeout(() => void look(), intervalMs).unref();
  };

  return {
    tell,
    watches: (jobId: string): boolean => jobs.has(jobId),
    watch(jobId: string, listener: JobListener): () => void {
      const watched = jobs.get(jobId) ?? { listeners: new Set(), nextOrdinal: -1, progress: -1, phase: null };
      watched.listeners.add(listener);
      jobs.set(jobId, watched);
      schedule();
      return () => {
        watched.listeners.delete(listener);
        if (watched.listeners.size === 0 && jobs.get(jobId) === watched) jobs.delete(jobId);
      };
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
