import { tenantJobs } from "@scribe/database";
import { isUuid, RequestError, TRANSCRIPT_FORMATS } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../api.ts";
import type { SignedLink } from "../link-signer.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";
import { noTranscript, sendTranscript, transcriptContent } from "./transcript.ts";

const PATH = "/api/v1/shared/transcript";
const MAX_SECONDS = 86_400;
const USUAL_SECONDS = 3_600;

export const postTranscriptLink = defineRoute({
  method: "post",
  path: "/api/v1/jobs/{id}/transcript/link",
  operationId: "linkTranscript",
  summary: "An address of the transcript that works without a key, for a while",
  description: "It ends with its time, or with the job where that is erased before.",
  tag: "Jobs",
  scope: "read",
  body: {
    kind: "json",
    schema: requestSchema(
      "LinkTranscript",
      z.strictObject({
        format: z.enum(TRANSCRIPT_FORMATS).optional().meta({ description: "`json` where absent" }),
        expires_in: z.int().min(1).max(MAX_SECONDS).optional().meta({ description: "Seconds; an hour where absent" }),
      }),
    ),
  },
  answers: {
    200: {
      description: "The address",
      schema: answerSchema("TranscriptLink", z.object({ url: z.string(), expires_at: z.iso.datetime() })),
    },
  },
  handle:
    (api) =>
    async ({ response, caller, params, body }) => {
      const jobId = idFrom(params, "job");
      const { tenantId } = caller;
      const job = await tenantJobs(api.db, tenantId).get(jobId);
      if (!job) throw notFound("job");
      if (job.status !== "completed") throw noTranscript(job);
      const expires = Math.floor(Date.now() / 1000) + (body.expires_in ?? USUAL_SECONDS);
      const base = (api.config.http.PUBLIC_URL ?? "").replace(/\/$/, "");
      sendJson(response, 200, {
        url: base + signTranscript(api, { tenantId, jobId, format: body.format ?? "json", expires }),
        expires_at: new Date(expires * 1000).toISOString(),
      });
    },
});

/** Path and query of a transcript that need no key until their time is over. */
export function signTranscript({ links }: Pick<Api, "links">, link: SignedLink): string {
  const query = new URLSearchParams({
    tenant: link.tenantId,
    job: link.jobId,
    format: link.format,
    expires: String(link.expires),
    signature: links.sign(link),
  });
  return `${PATH}?${query}`;
}

export const getSharedTranscript = defineRoute({
  method: "get",
  path: PATH,
  operationId: "readSharedTranscript",
  summary: "A transcript by an address that was made for it",
  tag: "Jobs",
  scope: null,
  query: z.strictObject({
    tenant: z.string().max(64),
    job: z.string().max(64),
    format: z.enum(TRANSCRIPT_FORMATS),
    expires: z.string().regex(/^\d{1,12}$/, "must be a time"),
    signature: z.string().max(128),
  }),
  answers: { 200: { description: "The transcript", content: transcriptContent } },
  handle:
    ({ db, links }) =>
    async ({ response, query }) => {
      const { tenant: tenantId, job: jobId, format } = query;
      const expires = Number(query.expires);
      const signed =
        isUuid(tenantId) && isUuid(jobId) && links.verify({ tenantId, jobId, format, expires }, query.signature);
      if (!signed) throw new RequestError("forbidden", "This link is not one of ours.");
      if (expires * 1000 <= Date.now()) throw new RequestError("forbidden", "This link has expired.");
      const jobs = tenantJobs(db, tenantId);
      const job = await jobs.get(jobId);
      const transcript = job && (await jobs.transcript(jobId));
      if (!transcript) throw notFound("transcript");
      sendTranscript(response, transcript, { format });
    },
});
