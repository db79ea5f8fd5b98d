import { jobFields, readFormFields, type UploadFields, uploadFields } from "@scribe/domain";
import type { Response } from "express";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { accepted, acceptedAnswers } from "./accepted-view.ts";
import { inTodaysWords } from "./compat/profile.ts";
import { creating, fingerprint, readIdempotencyKey } from "./idempotency.ts";
import { invalidInput } from "./invalid-input.ts";
import { prepareJob } from "./prepare-job.ts";
import { providerKeyHeader } from "./prepare-provider.ts";
import { receiveForm } from "./receive-audio.ts";
import { submitAudio } from "./submit-job.ts";

const PATH = "/api/v1/transcribe/upload";

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
  answers: acceptedAnswers,
  handle:
    (api) =>
    async ({ request, response, caller }) => {
      const key = readIdempotencyKey(request);
      const readFields = async (given: ReadonlyMap<string, string>) => {
        const fields = parseFields(response, given);
        return { fields, job: await prepareJob(api, caller, request, fields) };
      };
      await creating(api, caller, { route: PATH, key, respond: accepted.bind(null, api) }, response, async (commit) => {
        const audio = await receiveForm(api, caller, request, { foreign: false, readFields });
        const { fields, job } = audio.asked;
        return await submitAudio(api, caller, audio, (submit) =>
          commit(
            () => fingerprint({ fields, sha256: audio.sha256 }),
            (idempotency) => submit(job, idempotency),
          ),
        );
      });
    },
});

function parseFields(response: Response, given: ReadonlyMap<string, string>): UploadFields {
  const parsed = uploadFields.safeParse(inTodaysWords(response, readFormFields(given)));
  if (!parsed.success) throw invalidInput(parsed.error, "field");
  return parsed.data;
}
