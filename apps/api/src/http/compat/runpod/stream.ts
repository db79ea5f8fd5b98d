import { type JobRow, tenantJobs } from "@scribe/database";
import { runpodItems, runpodNotices, runpodOutput, runpodStatus, type Segment, streamsItems } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { goneSignal, whenClosed } from "../../../when-closed.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { sendJson } from "../../send-json.ts";
import { findJob, readResult } from "../find-job.ts";
import { hasEnded, waitForJob } from "../follow-job.ts";
import { TAG } from "./runpod-job.ts";

const LONG_POLL_MS = 10_000;
/** Segments of one answer. */
const PAGE = 200;

export const runpodStream = defineRoute({
  method: "get",
  path: "/runpod/v2/{endpoint}/stream/{id}",
  operationId: "runpodStream",
  summary: "What a job has yielded since the last call",
  description:
    "Each item is handed out once; a call waits up to ten seconds for the next. The status is that of a job that has ended only when nothing is left.",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: {
    200: {
      description: "The items, an empty list where there were none in time",
      schema: z.object({ status: z.string(), stream: z.array(z.object({ output: z.unknown() })) }),
    },
  },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      whenClosed(response, api.waiting.take(caller.keyId));
      const { id: jobId } = await findJob(api, caller, params);
      const gone = goneSignal(response);
      const untilMs = performance.now() + LONG_POLL_MS;
      try {
        for (;;) {
          const taken = await takeItems(api, caller, jobId);
          const leftMs = untilMs - performance.now();
          if (taken.items.length > 0 || taken.drained || leftMs <= 0) {
            const stream = taken.items.map((output) => ({ output }));
            return sendJson(response, 200, { status: taken.drained ? runpodStatus(taken.job) : "IN_PROGRESS", stream });
          }
          const followed = { tenantId: caller.tenantId, jobId, signal: gone };
          const { nextOrdinal } = taken.job;
          await waitForJob(api, followed, (job) => hasEnded(job) || job.nextOrdinal !== nextOrdinal, leftMs);
        }
      } catch (error) {
        if (!gone.aborted) throw error;
      }
    },
});

interface Taken {
  job: JobRow;
  items: unknown[];
  /** The job has ended, and this was the last of it. */
  drained: boolean;
}

/** Takes what no call has had yet. How far calls have come is kept with the job: replicas share it. */
async function takeItems(api: Api, caller: Caller, jobId: string): Promise<Taken> {
  const job = await findJob(api, caller, { id: jobId });
  const jobs = tenantJobs(api.db, caller.tenantId);
  if (!streamsItems(job)) {
    const transcript = await readResult(api, caller, job);
    const all = transcript ? runpodOutput(job, transcript.segments) : [];
    const first = hasEnded(job) && (await jobs.moveStream(jobId, { from: 0, to: 1 }));
    return { job, items: first ? all : [], drained: hasEnded(job) };
  }
  const from = streamedOf(job);
  const rows = await jobs.events(jobId, from, PAGE);
  const to = rows.at(-1)?.ordinal ?? from;
  // Somebody else took them meanwhile: what is left is asked for again.
  if (to > from && !(await jobs.moveStream(jobId, { from, to }))) return { job, items: [], drained: false };
  const segments = rows.filter(({ type }) => type === "segment").map(({ data }) => data as unknown as Segment);
  const drained = hasEnded(job) && rows.length < PAGE;
  const items = runpodItems(job, segments, segments[0]?.id ?? 0);
  return {
    job,
    items: to > from && (items.length > 0 || drained) ? [...items, ...runpodNotices(job)] : items,
    drained,
  };
}

function streamedOf({ frontDoor }: JobRow): number {
  return Number((frontDoor as { streamed?: unknown } | null)?.streamed ?? 0);
}
