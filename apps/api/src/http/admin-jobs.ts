import { type InstanceJob, listInstanceJobs, readQueueStates } from "@scribe/database";
import { JOB_PHASES, JOB_STATUSES } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { pageQuery, readPage, toPage } from "./page-after.ts";
import { sendJson } from "./send-json.ts";

const time = z.iso.datetime();

const operatorJob = answerSchema(
  "OperatorJob",
  z.object({
    job_id: z.uuid(),
    tenant_id: z.uuid(),
    tenant: z.string(),
    status: z.enum(JOB_STATUSES),
    phase: z.enum(JOB_PHASES),
    progress: z.number(),
    engine: z.string(),
    model: z.string(),
    attempts: z.int(),
    crashes: z.int(),
    audio_seconds: z.number(),
    worker: z.string().nullable(),
    error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
    created_at: time,
    started_at: time.nullable(),
    completed_at: time.nullable(),
  }),
);

export const getAdminJobs = defineRoute({
  method: "get",
  path: "/api/v1/admin/jobs",
  operationId: "listAllJobs",
  summary: "Jobs of all tenants, newest first: how they go, not what was said in them",
  tag: "Administration",
  scope: "admin",
  query: z.strictObject({ ...pageQuery, status: z.enum(JOB_STATUSES).optional(), tenant_id: z.uuid().optional() }),
  answers: {
    200: {
      description: "A page of jobs",
      schema: answerSchema(
        "OperatorJobList",
        z.object({ data: z.array(operatorJob), next_cursor: z.string().nullable() }),
      ),
    },
  },
  handle:
    ({ db }) =>
    async ({ response, query }) => {
      const { limit, cursor } = readPage(query);
      const rows = await listInstanceJobs(db, {
        limit: limit + 1,
        before: cursor,
        status: query.status,
        tenantId: query.tenant_id,
      });
      sendJson(response, 200, toPage(rows, limit, toView));
    },
});

const queueSchema = answerSchema(
  "Queues",
  z.object({
    backend: z.enum(["redis", "postgres"]),
    queues: z.array(
      z.object({
        name: z.enum(["transcription", "webhooks", "enhancement"]),
        waiting: z.int(),
        dispatched: z.int().meta({ description: "Of those that wait, how many have a message in the queue" }),
        running: z.int(),
        oldest_seconds: z.number().nullable(),
        audio_seconds: z.number().meta({ description: "Of jobs that have not ended" }),
      }),
    ),
  }),
);

export const getAdminQueues = defineRoute({
  method: "get",
  path: "/api/v1/admin/queues",
  operationId: "readQueues",
  summary: "What waits and what runs, of all tenants",
  tag: "Administration",
  scope: "admin",
  answers: { 200: { description: "The queues", schema: queueSchema } },
  handle:
    ({ db, queues }) =>
    async ({ response }) => {
      const states = await readQueueStates(db);
      sendJson(response, 200, {
        backend: queues.backend,
        queues: states.map(({ oldestSeconds, audioSeconds, ...state }) => ({
          ...state,
          oldest_seconds: oldestSeconds === null ? null : Math.max(0, Math.round(oldestSeconds)),
          audio_seconds: Math.round(audioSeconds),
        })),
      });
    },
});

function toView(job: InstanceJob): z.output<typeof operatorJob> {
  return {
    job_id: job.id,
    tenant_id: job.tenantId,
    tenant: job.tenant,
    status: job.status,
    phase: job.phase as z.output<typeof operatorJob>["phase"],
    progress: job.progress,
    engine: job.engine,
    model: job.model,
    attempts: job.attempts,
    crashes: job.crashes,
    audio_seconds: job.audioSeconds,
    worker: job.workerId,
    error: job.error,
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    completed_at: job.completedAt?.toISOString() ?? null,
  };
}
