import { type JobRow, tenantJobs } from "@scribe/database";
import { httpUrl, RequestError, safeText } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../../../openapi/route.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import { sendJson } from "../../send-json.ts";
import { signTranscript } from "../../transcript-link.ts";
import { findJob } from "../find-job.ts";
import { tellIgnored } from "../ignored-fields.ts";
import { OLDER_STATUSES, olderStatus, whyFailed } from "../older-status.ts";
import { checkedJob, submitForeignSource } from "../submit-job.ts";
import { TAG } from "./auth.ts";
import { readStorageKey, storageKeyField } from "./storage-key.ts";

const LINK_SECONDS = 3_600;
const MODES = ["mono", "dialogue"] as const;
const LIMIT = { usual: 20, most: 100 };

const known = {
  ...storageKeyField,
  language: safeText(16).nullish(),
  mode: z.enum(MODES).nullish(),
  /** Named only to be refused beside a file. */
  url: httpUrl.nullish(),
};

const jobSchema = answerSchema(
  "SaasJob",
  z.object({
    id: z.uuid(),
    status: z.enum(OLDER_STATUSES),
    progress: z.number().meta({ description: "0 to 100" }),
    storage_key: z.string().nullable(),
    language: z.string().nullable(),
    mode: z.enum(MODES),
    created_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
    error: z.string().nullable(),
  }),
);

export const saasCreateJob = defineRoute({
  method: "post",
  path: "/compat/saas/jobs",
  operationId: "saasCreateJob",
  summary: "Transcribe a file that was sent, as the SaaS backend does",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  body: { kind: "json", schema: z.looseObject(known) },
  answers: { 200: { description: "The job, queued", schema: jobSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, body }) => {
      if (body.url != null)
        throw new RequestError(
          "invalid_request",
          "`url` is not known here: send the file, and name its `storage_key`.",
        );
      const uploadId = readStorageKey(body);
      const mode = body.mode ?? "mono";
      const fields = { mode, ...(body.language ? { language: body.language.toLowerCase() } : {}) };
      const prepared = {
        ...(await checkedJob(api, caller, request, fields)),
        frontDoor: { door: "saas", ask: { mode } } as const,
      };
      const job = await submitForeignSource(api, caller, prepared, {
        source: { upload_id: uploadId },
        field: "storage_key",
      });
      tellIgnored(
        response,
        Object.keys(body).filter((name) => !(name in known)),
      );
      sendJson(response, 200, toView(job));
    },
});

export const saasListJobs = defineRoute({
  method: "get",
  path: "/compat/saas/jobs",
  operationId: "saasListJobs",
  summary: "Jobs, newest first",
  description: "`limit`: 1 to 100, 20 where absent.",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: { 200: { description: "The jobs", schema: z.array(jobSchema) } },
  handle:
    ({ db }) =>
    async ({ request, response, caller }) => {
      const jobs = await tenantJobs(db, caller.tenantId).list({ limit: readLimit(request.url) });
      sendJson(response, 200, jobs.map(toView));
    },
});

export const saasGetJob = defineRoute({
  method: "get",
  path: "/compat/saas/jobs/{id}",
  operationId: "saasGetJob",
  summary: "A job as the SaaS backend shows it",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: { 200: { description: "The job in any state", schema: jobSchema } },
  handle:
    (api) =>
    async ({ response, caller, params }) =>
      sendJson(response, 200, toView(await findJob(api, caller, params))),
});

export const saasDownload = defineRoute({
  method: "get",
  path: "/compat/saas/jobs/{id}/download",
  operationId: "saasDownload",
  summary: "An address of the transcript's text, good for an hour without a key",
  description: "409 until the job is completed.",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: {
    200: {
      description: "The address",
      schema: answerSchema(
        "SaasDownload",
        z.object({ url: z.string(), download_url: z.string(), expires_in: z.int() }),
      ),
    },
  },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const job = await findJob(api, caller, params);
      const view = toView(job);
      if (view.status !== "completed")
        throw new RequestError("conflict", `There is no transcript: the job is ${view.status}.`);
      const expires = Math.floor(Date.now() / 1000) + LINK_SECONDS;
      const { PUBLIC_URL: base = `${request.protocol}://${request.get("host")}` } = api.config.http;
      const link = { tenantId: caller.tenantId, jobId: job.id, format: "text", expires };
      const url = base.replace(/\/$/, "") + signTranscript(api, link);
      sendJson(response, 200, { url, download_url: url, expires_in: LINK_SECONDS });
    },
});

function readLimit(url: string): number {
  const text = new URLSearchParams(url.split("?", 2)[1] ?? "").get("limit") ?? "";
  return /^[1-9]\d{0,8}$/.test(text) ? Math.min(LIMIT.most, Number(text)) : LIMIT.usual;
}

function toView(job: JobRow): z.output<typeof jobSchema> {
  const { diarize = false } = job.options as { diarize?: boolean };
  return {
    id: job.id,
    status: olderStatus(job),
    progress: job.progress,
    storage_key: job.source.kind === "upload" ? job.source.uploadId : null,
    language: job.language,
    mode: diarize ? "dialogue" : "mono",
    created_at: job.createdAt.toISOString(),
    completed_at: job.completedAt?.toISOString() ?? null,
    error: whyFailed(job),
  };
}
