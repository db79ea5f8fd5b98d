import type { JobRow } from "@scribe/database";
import { type FrontDoor, httpUrl, renderDeepgram } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { whenClosed } from "../../../when-closed.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { readJson } from "../../middleware/read-json.ts";
import type { PreparedJob } from "../../prepare-job.ts";
import { receiveBytes } from "../../receive-audio.ts";
import { sendJson } from "../../send-json.ts";
import { answerWhenDone } from "../answer-when-done.ts";
import { tellIgnored } from "../ignored-fields.ts";
import { checkedJob, submitForeignAudio, submitForeignSource } from "../submit-job.ts";
import { type DeepgramRequest, readDeepgramQuery } from "./read-query.ts";

const urlBody = z.looseObject({ url: httpUrl });

export const deepgramListen = defineRoute({
  method: "post",
  path: "/deepgram/v1/listen",
  operationId: "deepgramListen",
  summary: "Transcribe as Deepgram's API does",
  description:
    "For clients of Deepgram. A body of JSON names a `url`, any other is the audio. Answers when the transcript is there; " +
    "with `callback`, at once, and posts it there. What is not carried out is named in `X-Ignored-Fields`.",
  tag: "Deepgram",
  scope: "transcribe",
  query: "anything",
  body: { kind: "bytes" },
  answers: {
    200: {
      description: "The transcript; with `callback`, `{request_id}`",
      schema: z.unknown(),
      headers: { "X-Ignored-Fields": "Parameters that came and are not carried out" },
    },
  },
  handle:
    (api) =>
    async ({ request, response, caller }) => {
      const asked = readDeepgramQuery(api, request);
      if (asked.callback === null) whenClosed(response, api.waiting.take(caller.keyId));
      const job = await prepare(api, caller, request, asked);
      tellIgnored(response, asked.ignored);
      const attach = asked.callback === null;
      const { id: jobId } = await submit(attach);
      if (asked.callback) return sendJson(response, 200, { request_id: jobId });
      await answerWhenDone(api, caller, {
        ...{ jobId, response },
        foreign: {
          contentType: "application/json",
          filler: " ",
          rest: (transcript, done) => JSON.stringify(renderDeepgram(done, transcript, asked.ask)),
        },
      });

      async function submit(attach: boolean): Promise<JobRow> {
        if (!request.is("application/json")) {
          const audio = await receiveBytes(api, caller, request);
          return await submitForeignAudio(api, caller, job, { audio, attach });
        }
        const limits = { maxBytes: api.config.limits.MAX_BODY_BYTES, waitMs: api.waits.bodyMs };
        const { url } = await readJson(request, urlBody, limits);
        return await submitForeignSource(api, caller, job, { source: { url }, field: "url", attach });
      }
    },
});

/** With a callback, its end is told as Deepgram tells it: the whole answer, once, also of a failure. */
async function prepare(
  api: Api,
  caller: Caller,
  request: Request,
  { fields, ask, callback }: DeepgramRequest,
): Promise<PreparedJob> {
  const job = await checkedJob(api, caller, request, {
    ...fields,
    ...(callback
      ? { webhook_url: callback.url, webhook_events: ["job.completed", "job.failed", "job.cancelled"] }
      : {}),
  });
  if (callback === null) return job;
  const frontDoor: FrontDoor = { door: "deepgram", webhook: "deepgram", ask: { ...ask } };
  return { ...job, frontDoor, webhookHeaders: { "dg-token": caller.publicId, ...callback.headers } };
}
