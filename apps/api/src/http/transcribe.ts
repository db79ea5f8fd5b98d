import { tenantJobs, tenantUploads } from "@scribe/database";
import { isUuid, type TranscribeBody, transcribeBody } from "@scribe/domain";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { accepted, acceptedSchema } from "./accepted-view.ts";
import { audioSecondsOfUpload, createEstimate, type EstimateAudioSeconds } from "./audio-seconds.ts";
import { creating, fingerprint, readIdempotencyKey } from "./idempotency.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { notFound } from "./middleware/render-problem.ts";
import { checkUrl, prepareJob } from "./prepare-job.ts";
import { providerKeyHeader, readProviderSetting } from "./prepare-provider.ts";

const PATH = "/api/v1/transcribe";

export const transcribe = defineRoute({
  method: "post",
  path: PATH,
  operationId: "transcribe",
  summary: "Transcribe what a URL or an upload holds",
  description: "The job is committed when this answers. Exactly one of `url` and `upload_id` is needed.",
  tag: "Jobs",
  scope: "transcribe",
  headers: {
    "Idempotency-Key": "The same key and input within 24 hours get the first answer again",
    ...providerKeyHeader,
  },
  body: { kind: "json", schema: requestSchema("TranscribeRequest", transcribeBody) },
  answers: {
    202: {
      description: "The job is accepted",
      schema: acceptedSchema,
      headers: { Location: "Where the job is", "Idempotency-Replayed": "`true` where this is an earlier answer" },
    },
  },
  handle: (api) => {
    const estimate = createEstimate();
    return async ({ request, response, caller, body }) => {
      const key = readIdempotencyKey(request);
      const { url, upload_id, ...fields } = body;
      const setting = await readProviderSetting(api, caller, fields.engine);
      const prepared = prepareJob(api, caller, request, fields, setting);
      // Not even a hash of the key is kept.
      const { provider_key: _, ...input } = body;
      if (url !== undefined) checkUrl(api, "url", url);
      const respond = accepted.bind(null, api);
      await creating(api, caller, { route: PATH, key, respond }, response, (commit) =>
        commit(
          () => fingerprint(input),
          async (idempotency) => {
            const source = await openSource(api, caller, body, estimate);
            const job = await tenantJobs(api.db, caller.tenantId).create({ ...prepared, ...source }, idempotency);
            api.metrics.jobsAccepted.inc({ source: job.source.kind });
            api.dispatcher.poke("transcription");
            return job;
          },
        ),
      );
    };
  },
});

/** Where the audio comes from, and about how long it is. */
async function openSource(
  { db }: Api,
  { tenantId }: Caller,
  { url, upload_id: uploadId }: TranscribeBody,
  estimate: EstimateAudioSeconds,
) {
  if (url !== undefined) {
    const audioSeconds = await estimate(tenantId, tenantJobs(db, tenantId));
    return { source: { kind: "url" as const, url }, audioSeconds };
  }
  const upload =
    uploadId !== undefined && isUuid(uploadId) ? await tenantUploads(db, tenantId).getStored(uploadId) : null;
  if (!upload) throw notFound("upload");
  return {
    source: { kind: "upload" as const, uploadId: upload.id },
    audioSeconds: audioSecondsOfUpload(upload.sizeBytes),
    audioKey: upload.storageKey,
    audioBytes: upload.sizeBytes,
    ...(upload.sha256 === null ? {} : { audioSha256: upload.sha256 }),
  };
}
