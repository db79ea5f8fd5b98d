import { type JobRow, tenantJobs } from "@scribe/database";
import { httpUrl, isUuid, RequestError, safeText, type UploadFields } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { checkInput, readJson } from "../../middleware/read-json.ts";
import { notFound } from "../../middleware/render-problem.ts";
import type { PreparedJob } from "../../prepare-job.ts";
import { sendJson } from "../../send-json.ts";
import { readTranscript } from "../answer-when-done.ts";
import { tellIgnored } from "../ignored-fields.ts";
import { receiveForm } from "../receive-audio.ts";
import { checkedJob, createSubmit, submitAudio } from "../submit-job.ts";

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
    status: z.enum(["queued", "processing", "completed", "failed"]),
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
  handle: (api) => {
    const submit = createSubmit(api);
    return async ({ request, response, caller }) => {
      if (request.is("multipart/form-data")) {
        const { job, ignored } = await submitForm(api, caller, request);
        tellIgnored(response, ignored);
        return sendJson(response, 200, toView(job));
      }
      const asked = await readJson(request, bodySchema, {
        maxBytes: api.config.limits.MAX_BODY_BYTES,
        waitMs: api.waits.bodyMs,
      });
      const url = asked.url ?? asked.audio_url;
      if (url == null) throw new RequestError("invalid_request", "Send a `file` in a form, or `url`.");
      if (asked.url != null && asked.audio_url != null)
        throw new RequestError("invalid_request", "`url` and `audio_url` are one too many.");
      const job = await submit(caller, prepare(api, caller, request, asked), { source: { url }, field: "url" });
      tellIgnored(response, ignoredOf(asked));
      sendJson(response, 200, toView(job));
    };
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
    async ({ response, caller, params }) => {
      const id = params.id ?? "";
      const job = isUuid(id) ? await tenantJobs(api.db, caller.tenantId).get(id.toLowerCase()) : null;
      if (job === null) throw notFound("job");
      const text = job.status === "completed" ? (await readTranscript(api, caller, job)).text : undefined;
      sendJson(response, 200, { ...toView(job), ...(text === undefined ? {} : { text }) });
    },
});

async function submitForm(api: Api, caller: Caller, request: Request): Promise<{ job: JobRow; ignored: string[] }> {
  const read = (fields: ReadonlyMap<string, string>) => {
    const asked = checkInput(Object.fromEntries(fields), bodySchema);
    if (asked.url != null || asked.audio_url != null)
      throw new RequestError("invalid_request", "A file and an address are one source too many.");
    return { prepared: prepare(api, caller, request, asked), ignored: ignoredOf(asked) };
  };
  const audio = await receiveForm(api, caller, request, read);
  let asked: ReturnType<typeof read>;
  try {
    asked = read(audio.fields);
  } catch (error) {
    // Fields behind the file may be wrong when its bytes are already here.
    await api.storage.remove(audio.key);
    throw error;
  }
  const job = await submitAudio(api, caller, asked.prepared, { audio, attach: false });
  return { job, ignored: asked.ignored };
}

function prepare(api: Api, caller: Caller, request: Request, { language, mode }: Asked): PreparedJob {
  const fields: UploadFields = {
    ...(language ? { language: language.toLowerCase() } : {}),
    ...(mode ? { mode } : {}),
  };
  return { ...checkedJob(api, caller, request, fields), frontDoor: { door: "storage" } };
}

function ignoredOf(asked: Asked): string[] {
  return Object.keys(asked).filter((name) => !(name in known));
}

const STATUSES = {
  pending: "queued",
  processing: "processing",
  completed: "completed",
  failed: "failed",
  cancelled: "failed",
} as const;

function toView(job: JobRow) {
  const status = STATUSES[job.status];
  return {
    id: job.id,
    status,
    created_at: job.createdAt.toISOString(),
    completed_at: job.completedAt?.toISOString() ?? null,
    ...(status === "failed" ? { error: job.error?.message ?? "The job was cancelled." } : {}),
  };
}
