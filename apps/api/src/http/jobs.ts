import { createHash } from "node:crypto";
import { tenantBatches, tenantJobs } from "@scribe/database";
import { isUuid, JOB_STATUSES, RequestError, safeText } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { jobSchema, toJobView } from "./job-view.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { queryFlag, queryInt, queryTime } from "./query-types.ts";
import { sendJson, sendNothing } from "./send-json.ts";
import { stopJob, stopOrErase } from "./stop-job.ts";

const jobList = answerSchema("JobList", z.object({ data: z.array(jobSchema), next_cursor: z.string().nullable() }));

export const getJob = defineRoute({
  method: "get",
  path: "/api/v1/jobs/{id}",
  operationId: "getJob",
  summary: "A job, and its result once it is completed",
  tag: "Jobs",
  scope: "read",
  query: z.strictObject({ result: queryFlag.optional().meta({ description: "`false` leaves the result out" }) }),
  answers: { 200: { description: "The job", schema: jobSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller, params, query }) => {
      const jobs = tenantJobs(db, caller.tenantId);
      const whole = await jobs.getWhole(idFrom(params, "job"), { withResult: query.result !== false });
      if (!whole) throw notFound("job");
      const { job, ...results } = whole;
      const queue = job.status === "pending" ? await jobs.queuePosition(job) : null;
      sendJson(response, 200, toJobView(job, { queue, ...results }));
    },
});

export const listJobs = defineRoute({
  method: "get",
  path: "/api/v1/jobs",
  operationId: "listJobs",
  summary: "Jobs, newest first, without their results",
  tag: "Jobs",
  scope: "read",
  query: z.strictObject({
    limit: queryInt(1, 100).optional().meta({ description: "1 to 100; 20 where absent" }),
    cursor: z.string().max(512).optional().meta({ description: "`next_cursor` of the page before" }),
    status: z.enum(JOB_STATUSES).optional(),
    created_after: queryTime.optional(),
    created_before: queryTime.optional(),
    recording_id: safeText(256).optional(),
    batch_id: z.string().max(64).optional(),
  }),
  answers: { 200: { description: "A page of jobs", schema: jobList } },
  handle:
    ({ db }) =>
    async ({ response, caller, query }) => {
      const { limit = 20, cursor, ...filter } = query;
      const batchId = filter.batch_id === undefined ? undefined : idFrom({ id: filter.batch_id }, "batch");
      if (batchId !== undefined && !(await tenantBatches(db, caller.tenantId).get(batchId))) throw notFound("batch");
      const rows = await tenantJobs(db, caller.tenantId).list({
        limit: limit + 1,
        cursor: cursor === undefined ? undefined : readCursor(cursor, caller),
        status: filter.status,
        createdAfter: filter.created_after,
        createdBefore: filter.created_before,
        recordingId: filter.recording_id,
        batchId,
      });
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1) : undefined;
      sendJson(response, 200, {
        data: page.map((job) => toJobView(job)),
        next_cursor: last === undefined ? null : writeCursor(last, caller),
      });
    },
});

export const cancelJob = defineRoute({
  method: "post",
  path: "/api/v1/jobs/{id}/cancel",
  operationId: "cancelJob",
  summary: "Stop a job",
  description: "Never erases. The job is terminal when this answers.",
  tag: "Jobs",
  scope: "transcribe",
  answers: {
    200: { description: "The job had ended before, and is as it was", schema: jobSchema },
    202: { description: "The job is stopped", schema: jobSchema },
  },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      const { outcome, job } = await stopJob(api, caller, idFrom(params, "job"));
      sendJson(response, outcome === "cancelled" ? 202 : 200, toJobView(job));
    },
});

export const deleteJob = defineRoute({
  method: "delete",
  path: "/api/v1/jobs/{id}",
  operationId: "deleteJob",
  summary: "Stop a live job, or erase a finished one",
  description: "Erasing takes everything that came of the job: audio, transcript, events, deliveries.",
  tag: "Jobs",
  scope: "transcribe",
  answers: {
    202: { description: "The job was live, and is stopped", schema: jobSchema },
    204: { description: "The job is erased" },
  },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const stopped = await stopOrErase(api, caller, idFrom(params, "job"), request.ip);
      if (stopped) return sendJson(response, 202, toJobView(stopped));
      sendNothing(response);
    },
});

/** Where a page ended, bound to the tenant: somebody else's is unknown here. */
function writeCursor(job: { createdAt: Date; id: string }, caller: Caller): string {
  return Buffer.from(`${job.createdAt.toISOString()} ${job.id} ${tenantTag(caller)}`).toString("base64url");
}

function readCursor(text: string, caller: Caller): { createdAt: Date; id: string } {
  const [time = "", id = "", tag] = Buffer.from(text, "base64url").toString("utf8").split(" ");
  const createdAt = new Date(time);
  // Further off than four digits of a year are times that Postgres may not know.
  if (!/^\d{4}-/.test(time) || Number.isNaN(createdAt.getTime()) || !isUuid(id)) {
    throw new RequestError("invalid_request", "`cursor` is not one of ours.", {
      errors: [{ path: "cursor", message: "is not a `next_cursor` of an earlier answer" }],
    });
  }
  if (tag !== tenantTag(caller)) throw notFound("cursor");
  return { createdAt, id };
}

function tenantTag({ tenantId }: Caller): string {
  return createHash("sha256").update(tenantId).digest("base64url").slice(0, 12);
}
