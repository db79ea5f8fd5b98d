import { tenantJobs, tenantProviders } from "@scribe/database";
import { jobFields, readFormFields, type UploadFields, uploadFields, uuidV7 } from "@scribe/domain";
import type { Response } from "express";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { streamUpload } from "../stream-upload.ts";
import { accepted, acceptedSchema, pokeFor } from "./accepted-view.ts";
import { audioSecondsOfUpload } from "./audio-seconds.ts";
import { inTodaysWords } from "./compat/profile.ts";
import { creating, fingerprint, readIdempotencyKey } from "./idempotency.ts";
import { invalidInput } from "./invalid-input.ts";
import { readLexicons } from "./known-lexicons.ts";
import { prepareJob } from "./prepare-job.ts";
import { providerKeyHeader } from "./prepare-provider.ts";

const PATH = "/api/v1/transcribe/upload";

/** A commit whose answer got lost may have happened: then its audio stays, for retention to find. */
const UNKNOWN = "unknown";

const form = z.object({
  ...jobFields,
  file: z.string().meta({ format: "binary", description: "Audio or video; send it after the fields" }),
});

export const upload = defineRoute({
  method: "post",
  path: PATH,
  operationId: "transcribeUpload",
  summary: "Transcribe a file",
  description:
    "Fields are those of `POST /api/v1/transcribe`: booleans as `true` or `false`, lists and objects as JSON. " +
    "Fields before `file` are checked before its bytes are read.",
  tag: "Jobs",
  scope: "transcribe",
  headers: {
    "Idempotency-Key": "The same key, fields and file within 24 hours get the first answer again",
    ...providerKeyHeader,
  },
  body: { kind: "multipart", schema: requestSchema("TranscribeUpload", form) },
  answers: {
    202: {
      description: "The job is accepted",
      schema: acceptedSchema,
      headers: { Location: "Where the job is", "Idempotency-Replayed": "`true` where this is an earlier answer" },
    },
  },
  handle:
    (api) =>
    async ({ request, response, caller }) => {
      const key = readIdempotencyKey(request);
      const jobs = tenantJobs(api.db, caller.tenantId);
      response.once("close", api.uploadSlots.take(caller.keyId));
      const settings = await tenantProviders(api.db, caller.tenantId).list();
      // Fields come with the bytes, and are judged at once: what they may name is known before.
      const lexicons = await readLexicons(api, caller);
      await creating(api, caller, { route: PATH, key, respond: accepted.bind(null, api) }, response, async (commit) => {
        const id = uuidV7();
        const audioKey = `audio/${caller.tenantId}/${id}/source`;
        const prepare = (given: ReadonlyMap<string, string>) => {
          const fields = parseFields(response, given);
          const setting = settings.find(({ provider }) => provider === fields.engine) ?? null;
          return { fields, job: prepareJob(api, caller, request, fields, setting, lexicons) };
        };
        const stored = await streamUpload(request, {
          storage: api.storage,
          key: audioKey,
          maxBytes: api.config.http.MAX_UPLOAD_BYTES,
          idleMs: api.waits.uploadIdleMs,
          pace: {
            minBytesPerSecond: api.config.limits.UPLOAD_MIN_BYTES_PER_SECOND,
            windowMs: api.waits.uploadPaceMs,
          },
          maxFields: api.config.limits.MAX_FORM_FIELDS,
          checkFields: prepare,
        });
        let committed = false;
        try {
          const { fields, job } = prepare(stored.fields);
          const outcome = await commit(
            () => fingerprint({ fields, sha256: stored.sha256 }),
            async (idempotency) => {
              const asked = {
                ...job,
                id,
                source: { kind: "upload" as const, uploadId: id },
                audioSeconds: audioSecondsOfUpload(stored.bytes),
                audioKey,
                audioSha256: stored.sha256,
                audioBytes: stored.bytes,
              };
              return await jobs.create({ ...asked, cacheKeys: await api.findCacheKeys(asked) }, idempotency);
            },
          );
          committed = outcome.created !== null;
          if (outcome.created !== null) {
            api.metrics.jobsAccepted.inc({ source: "upload" });
            api.metrics.uploadedBytes.inc(stored.bytes);
            pokeFor(api, outcome.created);
          }
          return outcome;
        } finally {
          if (!committed && (await jobs.get(id).catch(() => UNKNOWN)) === null) await api.storage.remove(audioKey);
        }
      });
    },
});

function parseFields(response: Response, given: ReadonlyMap<string, string>): UploadFields {
  const parsed = uploadFields.safeParse(inTodaysWords(response, readFormFields(given)));
  if (!parsed.success) throw invalidInput(parsed.error, "field");
  return parsed.data;
}
