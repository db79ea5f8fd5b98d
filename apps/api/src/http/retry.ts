import { NotRetryable, tenantJobs } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import { defineRoute } from "../openapi/route.ts";
import { accepted, acceptedSchema } from "./accepted-view.ts";
import { creating, fingerprint, readIdempotencyKey } from "./idempotency.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";

const PATH = "/api/v1/jobs/{id}/retry";

export const retryJob = defineRoute({
  method: "post",
  path: PATH,
  operationId: "retryJob",
  summary: "Try a failed or cancelled job again, as a new one",
  description:
    "With the same source and options; it goes on after the last window of the old one where that still holds.",
  tag: "Jobs",
  scope: "transcribe",
  headers: { "Idempotency-Key": "The same key within 24 hours gets the first answer again" },
  answers: {
    202: {
      description: "The new job is accepted",
      schema: acceptedSchema,
      headers: { Location: "Where the new job is", "Idempotency-Replayed": "`true` where this is an earlier answer" },
    },
  },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const id = idFrom(params, "job");
      const key = readIdempotencyKey(request);
      const jobs = tenantJobs(api.db, caller.tenantId);
      const isStored = async (audioKey: string) => (await api.storage.stat(audioKey)) !== null;
      const retrying = { apiKeyId: caller.keyId, allowance: caller.limits.allowance, isStored };
      await creating(api, caller, { route: PATH, key, respond: accepted.bind(null, api) }, response, (commit) =>
        commit(
          () => fingerprint({ id }),
          async (idempotency) => {
            const job = await jobs.retry(id, retrying, idempotency).catch(explain);
            if (!job) throw notFound("job");
            api.metrics.jobsAccepted.inc({ source: "retry" });
            api.dispatcher.poke("transcription");
            return job;
          },
        ),
      );
    },
});

function explain(error: unknown): never {
  if (!(error instanceof NotRetryable)) throw error;
  const why =
    error.reason === "audio_gone"
      ? "The job's audio is no longer stored; submit it again."
      : "Only a failed or cancelled job can be tried again.";
  throw new RequestError("conflict", why, { cause: error });
}
