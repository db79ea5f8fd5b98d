import { type EnhancementRow, NoTranscript, tenantEnhancements, tenantJobs } from "@scribe/database";
import { type EnhanceBody, enhanceBody, JOB_STATUSES, RequestError } from "@scribe/domain";
import { z } from "zod";
import { requireChat } from "../enhancement-offer.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { creating, fingerprint, readIdempotencyKey } from "./idempotency.ts";
import { notFound } from "./middleware/render-problem.ts";
import { checkUrl, readTraceparent } from "./prepare-job.ts";

const PATH = "/api/v1/enhanced-ai";

const acceptedSchema = answerSchema(
  "AcceptedEnhancement",
  z.object({ job_id: z.uuid(), status: z.enum(JOB_STATUSES), created_at: z.iso.datetime() }),
);

export const postEnhancement = defineRoute({
  method: "post",
  path: PATH,
  operationId: "enhance",
  summary: "Ask a language model for what a transcript holds",
  description:
    "Exactly one of `transcription_job_id`, of a completed job, and `text`. It is committed when this answers. 503 without `Retry-After` where no chat endpoint is configured.",
  tag: "Enhancement",
  scope: "transcribe",
  headers: { "Idempotency-Key": "The same key and input within 24 hours get the first answer again" },
  body: { kind: "json", schema: requestSchema("EnhancementRequest", enhanceBody) },
  answers: {
    202: {
      description: "The enhancement is accepted",
      schema: acceptedSchema,
      headers: { Location: "Where it is", "Idempotency-Replayed": "`true` where this is an earlier answer" },
    },
  },
  handle:
    (api) =>
    async ({ request, response, caller, body }) => {
      const key = readIdempotencyKey(request);
      requireChat(api.config);
      if (body.webhook_url !== undefined) checkUrl(api, "webhook_url", body.webhook_url);
      const jobId = body.transcription_job_id?.toLowerCase() ?? null;
      if (jobId !== null && !(await tenantJobs(api.db, caller.tenantId).get(jobId))) throw notFound("job");
      const wanted = {
        ...toWanted(body),
        jobId,
        apiKeyId: caller.keyId,
        traceparent: readTraceparent(request) ?? null,
        mostOpen: api.config.limits.MAX_OPEN_ENHANCEMENTS,
      };
      const root = `${(api.config.http.PUBLIC_URL ?? "").replace(/\/$/, "")}${PATH}`;
      const respond = (row: EnhancementRow) => accepted(root, row);
      await creating(api, caller, { route: PATH, key, respond }, response, (commit) =>
        commit(
          () => fingerprint(body),
          async (idempotency) => {
            const row = await tenantEnhancements(api.db, caller.tenantId).create(wanted, idempotency).catch(explain);
            api.dispatcher.poke("enhancement");
            return row;
          },
        ),
      );
    },
});

function toWanted({ tasks, text, prompt, target_language, schema, webhook_url, metadata }: EnhanceBody) {
  return {
    tasks,
    text: text ?? null,
    options: { prompt, target_language, schema },
    webhookUrl: webhook_url ?? null,
    metadata: metadata ?? {},
  };
}

function accepted(root: string, { id, status, createdAt }: EnhancementRow) {
  const body: z.output<typeof acceptedSchema> = { job_id: id, status, created_at: createdAt.toISOString() };
  return { status: 202, body, headers: { Location: `${root}/${id}` } };
}

function explain(error: unknown): never {
  if (!(error instanceof NoTranscript)) throw error;
  throw new RequestError("conflict", "The job has no transcript; only a completed one has.", { cause: error });
}
