import { type JobEventRow, type JobRow, tenantJobs } from "@scribe/database";
import { isTerminal, PHASE_PROGRESS, RequestError } from "@scribe/domain";
import type { Api } from "../../api.ts";
import { notFound } from "../middleware/render-problem.ts";

/** How long a wait may miss that something happened. */
const LOOK_AGAIN_MS = 1_000;
const PAGE = 200;

type Waiting = Pick<Api, "db" | "notifications" | "lifecycle">;

interface Followed {
  tenantId: string;
  jobId: string;
  signal: AbortSignal;
}

/**
 * The job as soon as `ready` holds for it, or as it is after `maxMs`. A job that was erased meanwhile is not found.
 *
 * @throws RequestError `not_found`, `service_unavailable`; the signal's reason
 */
export async function waitForJob(
  api: Waiting,
  { tenantId, jobId, signal }: Followed,
  ready: (job: JobRow) => boolean,
  maxMs = Number.POSITIVE_INFINITY,
): Promise<JobRow> {
  const untilMs = performance.now() + maxMs;
  const changes = watchChanges(api, jobId);
  try {
    for (;;) {
      refuseToWait(api, signal);
      const seen = changes.count();
      const job = await tenantJobs(api.db, tenantId).get(jobId);
      if (job === null) throw notFound("job");
      const leftMs = untilMs - performance.now();
      if (ready(job) || leftMs <= 0) return job;
      await changes.after(seen, Math.min(leftMs, LOOK_AGAIN_MS), signal);
    }
  } finally {
    changes.close();
  }
}

/** The job's durable events from the first on, each once, until `done`. */
export async function* followEvents(api: Waiting, { tenantId, jobId, signal }: Followed): AsyncGenerator<JobEventRow> {
  const jobs = tenantJobs(api.db, tenantId);
  const changes = watchChanges(api, jobId);
  let after = 0;
  try {
    for (;;) {
      refuseToWait(api, signal);
      const seen = changes.count();
      const rows = await jobs.events(jobId, after, PAGE);
      for (const row of rows) {
        yield row;
        if (row.type === "done") return;
        after = row.ordinal;
      }
      if (rows.length > 0) continue;
      if ((await jobs.get(jobId)) === null) throw notFound("job");
      await changes.after(seen, LOOK_AGAIN_MS, signal);
    }
  } finally {
    changes.close();
  }
}

export function hasEnded(job: JobRow): boolean {
  return isTerminal(job.status);
}

/**
 * Whether some of the audio was transcribed: from here on a job hardly fails for what the caller sent. That it was decoded
 * is not enough, for only then a model is asked whether it can do what was asked of it.
 */
export function isHeard(job: JobRow): boolean {
  return hasEnded(job) || job.progress > PHASE_PROGRESS.decoding;
}

/** A server that goes away keeps nobody waiting: the job goes on, and an equal request elsewhere finds it. */
function refuseToWait({ lifecycle }: Waiting, signal: AbortSignal): void {
  signal.throwIfAborted();
  if (!lifecycle.draining) return;
  throw new RequestError("service_unavailable", "This server is going away.", { retryAfterSeconds: 1 });
}

function watchChanges({ notifications }: Pick<Api, "notifications">, jobId: string) {
  let count = 0;
  let wake = () => {};
  const unwatch = notifications.watch(jobId, () => {
    count += 1;
    wake();
  });
  return {
    count: () => count,
    /** Resolves once something has happened since `seen`, the time is over, or the signal is aborted. */
    async after(seen: number, maxMs: number, signal: AbortSignal): Promise<void> {
      if (count !== seen || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, maxMs);
      wake = resolve;
      signal.addEventListener("abort", resolve as () => void, { once: true });
      await promise;
      signal.removeEventListener("abort", resolve as () => void);
      clearTimeout(timer);
    },
    close: unwatch,
  };
}
