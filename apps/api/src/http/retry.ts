import { NotRetryable, tenantJobs } from "@scribe/database";
import { isProvider, RequestError, readStoredOptions } from "@scribe/domain";
import type { Request } from "express";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { accepted, acceptedSchema } from "./accepted-view.ts";
import { creating, fingerprint, readIdempotencyKey } from "./idempotency.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { readTraceparent } from "./prepare-job.ts";
import {
  providerKeyHeader,
  readKeyHeader,
  readProviderSetting,
  refuseLocalOnly,
  requiredKey,
  requireKey,
} from "./prepare-provider.ts";

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
  headers: { "Idempotency-Key": "The same key within 24 hours gets the first answer again", ...providerKeyHeader },
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
      const providerAccount = await readAccount(api, caller, request, id);
      const retrying = {
        ...{ apiKeyId: caller.keyId, allowance: caller.limits.allowance, providerAccount, isStored },
        traceparent: readTraceparent(request),
      };
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

/** The request's key for the old job's provider: the old one's own was erased when it ended. */
async function readAccount(api: Api, caller: Caller, request: Request, id: string) {
  const apiKey = readKeyHeader(request);
  const old = await tenantJobs(api.db, caller.tenantId).get(id);
  if (!old || !isProvider(old.engine)) return undefined;
  refuseLocalOnly(api, "engine");
  const { provider_address: baseUrl } = readStoredOptions(old.options);
  // No other key goes there, and the audio nowhere else.
  if (baseUrl !== undefined && apiKey === undefined) throw requiredKey();
  const account = apiKey === undefined ? undefined : { apiKey, baseUrl };
  requireKey(api, old.engine, account, await readProviderSetting(api, caller, old.engine));
  return account;
}

function explain(error: unknown): never {
  if (!(error instanceof NotRetryable)) throw error;
  const why =
    error.reason === "audio_gone"
      ? "The job's audio is no longer stored; submit it again."
      : "Only a failed or cancelled job can be tried again.";
  throw new RequestError("conflict", why, { cause: error });
}
