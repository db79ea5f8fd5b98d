import { audit, tenantEnhancements, tenantJobs } from "@scribe/database";
import { JOB_STATUSES } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { enhancementSchema, toEnhancementView } from "./enhanced-ai-view.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { pageQuery, readPage, toPage } from "./page-after.ts";
import { queryFlag } from "./query-types.ts";
import { sendJson } from "./send-json.ts";

const enhancementList = answerSchema(
  "EnhancementList",
  z.object({ data: z.array(enhancementSchema), next_cursor: z.string().nullable() }),
);

export const getEnhancement = defineRoute({
  method: "get",
  path: "/api/v1/enhanced-ai/{id}",
  operationId: "getEnhancement",
  summary: "An enhancement, and its result once it is completed",
  tag: "Enhancement",
  scope: "read",
  query: z.strictObject({ result: queryFlag.optional().meta({ description: "`false` leaves the result out" }) }),
  answers: { 200: { description: "The enhancement", schema: enhancementSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller, params, query }) => {
      const row = await tenantEnhancements(db, caller.tenantId).get(idFrom(params, "enhancement"));
      if (!row) throw notFound("enhancement");
      sendJson(response, 200, toEnhancementView(row, { result: query.result !== false }));
    },
});

export const listEnhancements = defineRoute({
  method: "get",
  path: "/api/v1/enhanced-ai",
  operationId: "listEnhancements",
  summary: "Enhancements, newest first, without their results",
  tag: "Enhancement",
  scope: "read",
  query: z.strictObject({
    ...pageQuery,
    status: z.enum(JOB_STATUSES).optional(),
    transcription_job_id: z.string().max(64).optional(),
  }),
  answers: { 200: { description: "A page of enhancements", schema: enhancementList } },
  handle:
    ({ db }) =>
    async ({ response, caller, query }) => {
      const { limit, cursor } = readPage(query);
      const { transcription_job_id: named, status } = query;
      const jobId = named === undefined ? undefined : idFrom({ id: named }, "job");
      if (jobId !== undefined && !(await tenantJobs(db, caller.tenantId).get(jobId))) throw notFound("job");
      const rows = await tenantEnhancements(db, caller.tenantId).list({
        limit: limit + 1,
        before: cursor,
        status,
        jobId,
      });
      sendJson(
        response,
        200,
        toPage(rows, limit, (row) => toEnhancementView(row, { result: false })),
      );
    },
});

export const cancelEnhancement = defineRoute({
  method: "post",
  path: "/api/v1/enhanced-ai/{id}/cancel",
  operationId: "cancelEnhancement",
  summary: "Stop an enhancement",
  description: "Never erases. It is terminal when this answers.",
  tag: "Enhancement",
  scope: "transcribe",
  answers: {
    200: { description: "It had ended before, and is as it was", schema: enhancementSchema },
    202: { description: "It is stopped", schema: enhancementSchema },
  },
  handle:
    ({ db }) =>
    async ({ response, caller, params }) => {
      const cancelled = await tenantEnhancements(db, caller.tenantId).cancel(idFrom(params, "enhancement"));
      if (!cancelled) throw notFound("enhancement");
      sendJson(response, cancelled.outcome === "cancelled" ? 202 : 200, toEnhancementView(cancelled.row));
    },
});

export const deleteEnhancement = defineRoute({
  method: "delete",
  path: "/api/v1/enhanced-ai/{id}",
  operationId: "deleteEnhancement",
  summary: "Stop a live enhancement, or erase a finished one",
  description: "The transcript stays; erasing its job takes all enhancements along.",
  tag: "Enhancement",
  scope: "transcribe",
  answers: {
    202: { description: "It was live, and is stopped", schema: enhancementSchema },
    204: { description: "It is erased" },
  },
  handle:
    ({ db }) =>
    async ({ request, response, caller, params }) => {
      const id = idFrom(params, "enhancement");
      const enhancements = tenantEnhancements(db, caller.tenantId);
      const stopped = await enhancements.cancel(id);
      if (!stopped) throw notFound("enhancement");
      if (stopped.outcome === "cancelled") return sendJson(response, 202, toEnhancementView(stopped.row));
      if ((await enhancements.erase(id)) === null) throw notFound("enhancement");
      const { tenantId, publicId: actor } = caller;
      await audit(db, { tenantId, actor, action: "enhancement.erased", target: id, address: request.ip });
      response.status(204).end();
    },
});
