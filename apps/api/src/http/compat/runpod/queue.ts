import { tenantJobs } from "@scribe/database";
import { z } from "zod";
import { defineRoute } from "../../../openapi/route.ts";
import { sendJson } from "../../send-json.ts";
import { stopJob } from "../../stop-job.ts";
import { TAG } from "./runpod-job.ts";

const PAGE = 100;

export const runpodPurgeQueue = defineRoute({
  method: "post",
  path: "/runpod/v2/{endpoint}/purge-queue",
  operationId: "runpodPurgeQueue",
  summary: "Stop all jobs of this tenant that wait",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  answers: {
    200: { description: "How many they were", schema: z.object({ removed: z.int(), status: z.literal("completed") }) },
  },
  handle:
    (api) =>
    async ({ response, caller }) => {
      const jobs = tenantJobs(api.db, caller.tenantId);
      let removed = 0;
      for (;;) {
        const waiting = await jobs.list({ limit: PAGE, status: "pending" });
        for (const { id } of waiting) if ((await stopJob(api, caller, id)).outcome === "cancelled") removed += 1;
        if (waiting.length < PAGE) break;
      }
      sendJson(response, 200, { removed, status: "completed" });
    },
});

export const runpodHealth = defineRoute({
  method: "get",
  path: "/runpod/v2/{endpoint}/health",
  operationId: "runpodHealth",
  summary: "This tenant's jobs by state, and the workers",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: {
    200: {
      description: "Counts",
      schema: z.object({ jobs: z.record(z.string(), z.int()), workers: z.record(z.string(), z.int()) }),
    },
  },
  handle:
    (api) =>
    async ({ response, caller }) => {
      const { pending, processing, completed, failed, retried, workers } = await tenantJobs(
        api.db,
        caller.tenantId,
      ).counts();
      const running = Math.min(workers, processing);
      sendJson(response, 200, {
        jobs: { completed, failed, inProgress: processing, inQueue: pending, retried },
        workers: { idle: workers - running, initializing: 0, ready: workers - running, running, throttled: 0 },
      });
    },
});
