import type { JobRow } from "@scribe/database";
import { httpUrl, RequestError, safeText, type UploadFields } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { checkInput, readJson } from "../../middleware/read-json.ts";
import type { PreparedJob } from "../../prepare-job.ts";
import { receiveForm } from "../../receive-audio.ts";
import { sendJson } from "../../send-json.ts";
import { findJob, readResult } from "../find-job.ts";
import { tellIgnored } from "../ignored-fields.ts";
import { OLDER_STATUSES, olderStatus, whyFailed } from "../older-status.ts";
import { checkedJob, submitForeignAudio, submitForeignSource } from "../submit-job.ts";

export const TAG = "Storage service";

const known = {
  url: httpUrl.nullish(),
  audio_url: httpUrl.nullish(),
  language: safeText(16).nullish(),
  mode: z.enum(["mono", "dialogue"]).nullish(),
};
const bodySchema = z.looseObject(known);
type Asked = z.output<typeof bodySchema>;

const jobSchema = answerSchema(
  "StorageServiceJob",
  z.object({
    id: z.uuid(),
    status: z.enum(OLDER_STATUSES),
    created_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
    text: z.string().optional(),
    error: z.string().optional(),
  }),
);

export const storageCreateJob = defineRoute({
  method: "post",
  path: "/compat/storage/{key}/api/jobs",
  operationId: "storageCreateJob",
  summary: "Make a job as the storage service does",
  description:
    "A form with the part `file`, or JSON with `url`. `{key}` is an API key, or `-` where it stands in a header.",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  body: {
    kind: "multipart",
    schema: z.object({
      file: z.string().optional().meta({ format: "binary", description: "Audio or video" }),
      url: z.string().optional(),
      language: z.string().optional(),
      mode: z.enum(["mono", "dialogue"]).optional(),
    }),
  },
  answers: { 200: { description: "The job, queued", schema: jobSchema } },
  handle:
    (api) =>
    async ({ request, response, caller }) => {
      if (request.is("multipart/form-data")) {
        const { job, ignored } = await submitForm(api, caller, request);
        tellIgnored(response, ignored);
        return sendJson(response, 200, await toView(api, caller, job));
      }
      const asked = await readJson(request, bodySchema, {
        maxBytes: api.config.limits.MAX_BODY_BYTES,
        waitMs: api.waits.bodyMs,
      });
      const url = asked.url ?? asked.audio_url;
      if (url == null) throw new RequestError("invalid_request", "Send a `file` in a form, or `url`.");
      if (asked.url != null && asked.audio_url != null)
        throw new RequestError("invalid_request", "`url` and `audio_url` are one too many.");
      const prepared = await prepare(api, caller, request, asked);
      const job = await submitForeignSource(api, caller, prepared, { source: { url }, field: "url" });
      tellIgnored(response, ignoredOf(asked));
      sendJson(response, 200, await toView(api, caller, job));
    },
});

export const storageGetJob = defineRoute({
  method: "get",
  path: "/compat/storage/{key}/api/jobs/{id}",
  operationId: "storageGetJob",
  summary: "A job as the storage service shows it",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: { 200: { description: "The job in any state", schema: jobSchema } },
  handle:
    (api) =>
    async ({ response, caller, params }) =>
      sendJson(response, 200, await toView(api, caller, await findJob(api, caller, params))),
});

async function submitForm(api: Api, caller: Caller, request: Request): Promise<{ job: JobRow; ignored: string[] }> {
  const readFields = async (fields: ReadonlyMap<string, string>) => {
    const asked = checkInput(Object.fromEntries(fields), bodySchema);
    if (asked.url != null || asked.audio_url != null)
      throw new RequestError("invalid_request", "A file and an address are one source too many.");
    return { prepared: await prepare(api, caller, request, asked), ignored: ignoredOf(asked) };
  };
  const audio = await receiveForm(api, caller, request, { foreign: true, readFields });
  const { prepared, ignored } = audio.asked;
  return { job: await submitForeignAudio(api, caller, prepared, { audio }), ignored };
}

async function prepare(api: Api, caller: Caller, request: Request, { language, mode }: Asked): Promise<PreparedJob> {
  const fields: UploadFields = {
    ...(language ? { language: language.toLowerCase() } : {}),
    ...(mode ? { mode } : {}),
  };
  return { ...(await checkedJob(api, caller, request, fields)), frontDoor: { door: "storage" } };
}

function ignoredOf(asked: Asked): string[] {
  return Object.keys(asked).filter((name) => !(name in known));
}

async function toView(api: Api, caller: Caller, job: JobRow): Promise<z.output<typeof jobSchema>> {
  const [transcript, error] = [await readResult(api, caller, job), whyFailed(job)];
  return {
    id: job.id,
    status: olderStatus(job),
    created_at: job.createdAt.toISOString(),
    completed_at: job.completedAt?.toISOString() ?? null,
    ...(transcript === null ? {} : { text: transcript.text }),
    ...(error === null ? {} : { error }),
  };
}
