import { type JobRow, tenantJobs } from "@scribe/database";
import {
  ASSEMBLYAI_STATUSES,
  type FrontDoor,
  type JobStatus,
  RequestError,
  renderAssemblyai,
  type Transcript,
} from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { sendJson } from "../../send-json.ts";
import { stopOrErase } from "../../stop-job.ts";
import { findJob, readResult } from "../find-job.ts";
import { tellIgnored } from "../ignored-fields.ts";
import { checkedJob, submitForeignSource } from "../submit-job.ts";
import { assemblyaiParams, readAssemblyaiAsk } from "./read-ask.ts";
import { uploadOf } from "./upload.ts";

export const TAG = "AssemblyAI";
const PATH = "/assemblyai/v2/transcript";
/** As its client writes it behind the base URL that it was given. */
const RELATIVE_PATH = "/v2/transcript";

/** What a job is called here. */
const WHAT = "transcript";

const transcriptSchema = answerSchema(
  "AssemblyaiTranscript",
  z.looseObject({
    id: z.string(),
    status: z.enum(["queued", "processing", "completed", "error"]),
    text: z.string().nullable(),
    error: z.string().optional(),
  }),
);

export const assemblyaiCreate = defineRoute({
  method: "post",
  path: PATH,
  operationId: "assemblyaiCreate",
  summary: "Transcribe as AssemblyAI's API does",
  description: "For clients of AssemblyAI. What is not carried out is named in `X-Ignored-Fields`.",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  body: { kind: "json", schema: assemblyaiParams },
  answers: { 200: { description: "The transcript to be, queued", schema: transcriptSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, body }) => {
      const asked = readAssemblyaiAsk(api, body);
      const frontDoor: FrontDoor = { door: "assemblyai", webhook: "assemblyai", ask: { ...asked.ask } };
      const job = {
        ...(await checkedJob(api, caller, request, asked.fields)),
        frontDoor,
        webhookHeaders: asked.webhookHeaders,
      };
      const upload = uploadOf(asked.audioUrl);
      const source = upload === null ? { url: asked.audioUrl } : { upload_id: upload };
      const created = await submitForeignSource(api, caller, job, { source, field: "audio_url" });
      tellIgnored(response, asked.ignored);
      sendJson(response, 200, renderAssemblyai(created, await readResult(api, caller, created)));
    },
});

export const assemblyaiGet = defineRoute({
  method: "get",
  path: `${PATH}/{id}`,
  operationId: "assemblyaiGet",
  summary: "A transcript, as AssemblyAI's API shows it",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: { 200: { description: "The transcript in any state", schema: transcriptSchema } },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      const job = await findJob(api, caller, { id: params.id, what: WHAT });
      sendJson(response, 200, renderAssemblyai(job, await readResult(api, caller, job)));
    },
});

/** Its client reads JSON of a 200, and throws at a 204. */
export const assemblyaiDelete = defineRoute({
  method: "delete",
  path: `${PATH}/{id}`,
  operationId: "assemblyaiDelete",
  summary: "Erase a transcript",
  description: "With everything that came of it; one that is under way is stopped first.",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  answers: { 200: { description: "What it was", schema: transcriptSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const job = await findJob(api, caller, { id: params.id, what: WHAT });
      const stopped = await stopOrErase(api, caller, job.id, request.ip);
      if (stopped) await stopOrErase(api, caller, job.id, request.ip);
      const { audio_url: _gone, ...view } = renderAssemblyai(stopped ?? job, null);
      sendJson(response, 200, { ...view, audio_url: "http://deleted_by_user", text: "Deleted by user." });
    },
});

const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(10),
  status: z.enum(["queued", "processing", "completed", "error"]).optional(),
  before_id: z.string().optional(),
  after_id: z.string().optional(),
  created_on: z.iso.date().optional(),
});

const STATUS_OF: Record<string, JobStatus> = {
  queued: "pending",
  processing: "processing",
  completed: "completed",
  error: "failed",
};
const DAY_MS = 86_400_000;

export const assemblyaiList = defineRoute({
  method: "get",
  path: PATH,
  operationId: "assemblyaiList",
  summary: "Transcripts, newest first, as AssemblyAI's API lists them",
  tag: TAG,
  scope: "read",
  query: listQuery,
  answers: {
    200: {
      description: "A page, with the addresses of its neighbours",
      schema: z.object({ page_details: z.looseObject({}), transcripts: z.array(z.looseObject({ id: z.string() })) }),
    },
  },
  handle:
    (api) =>
    async ({ request, response, caller, query }) => {
      const { limit, status, before_id: before, after_id: after, created_on: day } = query;
      const cursorJob = before === undefined ? null : await findJob(api, caller, { id: before, what: WHAT });
      const newerThan = after === undefined ? null : await findJob(api, caller, { id: after, what: WHAT });
      const from = day === undefined ? undefined : new Date(`${day}T00:00:00Z`);
      const rows = await tenantJobs(api.db, caller.tenantId).list({
        limit,
        cursor: cursorJob ? { createdAt: cursorJob.createdAt, id: cursorJob.id } : undefined,
        status: status === undefined ? undefined : STATUS_OF[status],
        createdAfter: laterOf(newerThan?.createdAt, from && new Date(from.getTime() - 1)),
        createdBefore: from === undefined ? undefined : new Date(from.getTime() + DAY_MS),
      });
      const asked = {
        limit: String(limit),
        ...(status === undefined ? {} : { status }),
        ...(day === undefined ? {} : { created_on: day }),
      };
      const page = (name: string, id: string | undefined) =>
        id === undefined ? null : `${RELATIVE_PATH}?${new URLSearchParams({ ...asked, [name]: id })}`;
      const older = rows.length === limit ? rows.at(-1)?.id : undefined;
      sendJson(response, 200, {
        page_details: {
          limit,
          result_count: rows.length,
          current_url: request.originalUrl.slice(request.originalUrl.indexOf(RELATIVE_PATH)),
          prev_url: page("before_id", older),
          next_url: page("after_id", before === undefined && after === undefined ? undefined : rows[0]?.id),
        },
        transcripts: rows.map(listed),
      });
    },
});

function laterOf(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one && other ? (one > other ? one : other) : (one ?? other);
}

function listed(job: JobRow) {
  const view = renderAssemblyai(job, null);
  return {
    id: job.id,
    resource_url: `${RELATIVE_PATH}/${job.id}`,
    status: ASSEMBLYAI_STATUSES[job.status],
    created: job.createdAt.toISOString(),
    completed: job.completedAt?.toISOString() ?? null,
    audio_url: view.audio_url,
    error: view.error ?? null,
  };
}

/** @throws RequestError where there is no transcript, or not yet */
export async function findTranscript(
  api: Api,
  caller: Caller,
  id: string | undefined,
): Promise<{ job: JobRow; transcript: Transcript }> {
  const job = await findJob(api, caller, { id, what: WHAT });
  const transcript = await readResult(api, caller, job);
  if (transcript) return { job, transcript };
  throw new RequestError("invalid_request", "This transcript has a status other than completed.");
}
