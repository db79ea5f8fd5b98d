import type { JobRow } from "@scribe/database";
import { type FrontDoor, isUnsafeText, RequestError, renderRunpod } from "@scribe/domain";
import type { Request } from "express";
import type { Api } from "../../../api.ts";
import { takeLargeBodyPlace } from "../../../limits/large-body-place.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { goneSignal, whenClosed } from "../../../when-closed.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { readJson } from "../../middleware/read-json.ts";
import { notFound } from "../../middleware/render-problem.ts";
import type { PreparedJob } from "../../prepare-job.ts";
import { storeGiven } from "../../receive-audio.ts";
import { sendJson } from "../../send-json.ts";
import { readResult } from "../find-job.ts";
import { hasEnded, waitForJob } from "../follow-job.ts";
import { tellIgnored } from "../ignored-fields.ts";
import { checkedJob, submitForeignAudio, submitForeignSource } from "../submit-job.ts";
import { type RunpodSource, readRunpodInput, runpodBody } from "./read-input.ts";
import { readWait, runpodJobSchema, TAG } from "./runpod-job.ts";

type Submit = (request: Request, caller: Caller, endpoint: string) => Promise<{ job: JobRow; ignored: string[] }>;

function createRun(api: Api): Submit {
  async function submitSource(caller: Caller, job: PreparedJob, source: RunpodSource): Promise<JobRow> {
    if ("url" in source)
      return await submitForeignSource(api, caller, job, { source, field: "input.transcribe_args.url" });
    const audio = await storeGiven(api, caller, readBase64(source.blob));
    return await submitForeignAudio(api, caller, job, { audio });
  }

  return async (request, caller, endpoint) => {
    if (isUnsafeText(endpoint)) throw notFound("endpoint");
    const { MAX_INLINE_AUDIO_BYTES: maxBytes } = api.config.limits;
    const leave = takeLargeBodyPlace(api, caller, request);
    try {
      const body = await readJson(request, runpodBody, { maxBytes, waitMs: api.waits.bodyMs });
      const { fields, ask, source, webhook, ignored } = readRunpodInput(api, endpoint, body);
      const frontDoor: FrontDoor = { door: "runpod", ask: { ...ask }, ...(webhook ? { webhook } : {}) };
      const job = { ...(await checkedJob(api, caller, request, fields)), frontDoor };
      return { job: await submitSource(caller, job, source), ignored };
    } finally {
      leave();
    }
  };
}

export const runpodRun = defineRoute({
  method: "post",
  path: "/runpod/v2/{endpoint}/run",
  operationId: "runpodRun",
  summary: "Queue a job as RunPod's serverless API does",
  description:
    "For clients of whisper workers on RunPod. The endpoint's name may be any; `ivrit` has items with a type.",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  body: { kind: "bytes" },
  answers: { 200: { description: "The job, queued", schema: runpodJobSchema } },
  handle: (api) => {
    const run = createRun(api);
    return async ({ request, response, caller, params }) => {
      const { job, ignored } = await run(request, caller, params.endpoint ?? "");
      tellIgnored(response, ignored);
      sendJson(response, 200, { id: job.id, status: "IN_QUEUE", delayTime: 0 });
    };
  },
});

export const runpodRunSync = defineRoute({
  method: "post",
  path: "/runpod/v2/{endpoint}/runsync",
  operationId: "runpodRunSync",
  summary: "Run a job and wait for it as RunPod's serverless API does",
  description: "`wait` in milliseconds, 1,000 to 300,000. A job that takes longer goes on; `/status-sync` waits again.",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  body: { kind: "bytes" },
  answers: { 200: { description: "The job as it is after the wait", schema: runpodJobSchema } },
  handle: (api) => {
    const run = createRun(api);
    return async ({ request, response, caller, params }) => {
      whenClosed(response, api.waiting.take(caller.keyId));
      const waitMs = readWait(request);
      const { job, ignored } = await run(request, caller, params.endpoint ?? "");
      tellIgnored(response, ignored);
      const gone = goneSignal(response);
      const followed = { tenantId: caller.tenantId, jobId: job.id, signal: gone };
      const done = await waitForJob(api, followed, hasEnded, waitMs).catch((error: unknown) => {
        if (gone.aborted) return null;
        throw error;
      });
      if (done) sendJson(response, 200, renderRunpod(done, await readResult(api, caller, done)));
    };
  },
});

function readBase64(text: string): Buffer {
  const bare = text.replace(/^data:[\w/+.-]*;base64,/, "");
  // Of megabytes, no character may be looked at twice: what must not occur is looked for, rather than what must.
  if (/[^A-Za-z0-9+/=\s_-]/.test(bare) || /=[^=\s]/.test(bare)) {
    throw new RequestError("invalid_request", "`input.transcribe_args.blob` is not base64.", {
      errors: [{ path: "input.transcribe_args.blob", message: "must be base64" }],
    });
  }
  return Buffer.from(bare, "base64");
}
