import { renderRunpod } from "@scribe/domain";
import { defineRoute } from "../../../openapi/route.ts";
import { goneSignal, whenClosed } from "../../../when-closed.ts";
import { sendJson } from "../../send-json.ts";
import { stopJob } from "../../stop-job.ts";
import { findJob, readResult } from "../find-job.ts";
import { hasEnded, waitForJob } from "../follow-job.ts";
import { readWait, runpodJobSchema, TAG } from "./runpod-job.ts";

export const runpodGetStatus = defineRoute({
  method: "get",
  path: "/runpod/v2/{endpoint}/status/{id}",
  operationId: "runpodStatus",
  summary: "A job as RunPod shows it",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: { 200: { description: "The job in any state", schema: runpodJobSchema } },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      const job = await findJob(api, caller, params);
      sendJson(response, 200, renderRunpod(job, await readResult(api, caller, job)));
    },
});

export const runpodStatusSync = defineRoute({
  method: "get",
  path: "/runpod/v2/{endpoint}/status-sync/{id}",
  operationId: "runpodStatusSync",
  summary: "A job once it has ended, or after a wait",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: { 200: { description: "The job as it is after the wait", schema: runpodJobSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      whenClosed(response, api.waiting.take(caller.keyId));
      const { id: jobId } = await findJob(api, caller, params);
      const gone = goneSignal(response);
      const followed = { tenantId: caller.tenantId, jobId, signal: gone };
      const job = await waitForJob(api, followed, hasEnded, readWait(request)).catch((error: unknown) => {
        if (gone.aborted) return null;
        throw error;
      });
      if (job) sendJson(response, 200, renderRunpod(job, await readResult(api, caller, job)));
    },
});

export const runpodCancel = defineRoute({
  method: "post",
  path: "/runpod/v2/{endpoint}/cancel/{id}",
  operationId: "runpodCancel",
  summary: "Stop a job",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  answers: { 200: { description: "The job, which has ended", schema: runpodJobSchema } },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      const { id } = await findJob(api, caller, params);
      const { job } = await stopJob(api, caller, id);
      sendJson(response, 200, renderRunpod(job, null));
    },
});
