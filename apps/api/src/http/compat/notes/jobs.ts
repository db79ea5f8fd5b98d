import { randomUUID } from "node:crypto";
import { tenantJobs } from "@scribe/database";
import { CONTENT_TYPES, type FieldProblem, providerKey, RequestError, renderText } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import type { PreparedJob } from "../../prepare-job.ts";
import { receiveForm } from "../../receive-audio.ts";
import { sendJson } from "../../send-json.ts";
import { tellIgnored } from "../ignored-fields.ts";
import { OLDER_STATUSES, olderStatus, whyFailed } from "../older-status.ts";
import { checkedJob, submitForeignAudio } from "../submit-job.ts";
import { findNote } from "./find-note.ts";

const TAG = "Audio to notes";
const PROVIDER_KEY = "X-OpenAI-API-Key";
const KNOWN = new Set(["diarize"]);

const createdSchema = answerSchema(
  "NotesJobCreated",
  z.object({ job_id: z.uuidv4(), status: z.literal("queued"), created_at: z.iso.datetime() }),
);
const jobSchema = answerSchema(
  "NotesJob",
  z.object({
    job_id: z.uuidv4(),
    status: z.enum(OLDER_STATUSES),
    created_at: z.iso.datetime(),
    diarize: z.boolean(),
    transcript_available: z.boolean(),
    error: z.string().optional().meta({ description: "Why it failed" }),
  }),
);

export const notesCreateJob = defineRoute({
  method: "post",
  path: "/compat/notes/{key}/jobs",
  operationId: "notesCreateJob",
  summary: "Transcribe a file as the audio-to-notes service does",
  description:
    "`{key}` is an API key, or `-` where it stands in a header. With a key of OpenAI's the job goes there, by OPENAI_MODELS; " +
    "that key is kept, encrypted, until the job ends. All of the job is erased after COMPAT_NOTES_MINUTES.",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  headers: { [PROVIDER_KEY]: "OpenAI transcribes, with this key; absent: the models here" },
  body: {
    kind: "multipart",
    schema: z.object({
      file: z.string().meta({ format: "binary", description: "Audio or video" }),
      diarize: z.boolean().optional(),
    }),
  },
  answers: { 200: { description: "The job, queued", schema: createdSchema } },
  handle:
    (api) =>
    async ({ request, response, caller }) => {
      const readFields = async (fields: ReadonlyMap<string, string>) => ({
        job: await prepareNote(api, caller, request, fields),
        ignored: [...fields.keys()].filter((name) => !KNOWN.has(name)),
      });
      const audio = await receiveForm(api, caller, request, { foreign: true, readFields });
      const { job, ignored } = audio.asked;
      const created = await submitForeignAudio(api, caller, job, { audio });
      tellIgnored(response, ignored);
      sendJson(response, 200, {
        job_id: created.recordingId,
        status: "queued",
        created_at: created.createdAt.toISOString(),
      });
    },
});

export const notesGetJob = defineRoute({
  method: "get",
  path: "/compat/notes/{key}/jobs/{id}",
  operationId: "notesGetJob",
  summary: "A job as the audio-to-notes service shows it",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: { 200: { description: "The job in any state", schema: jobSchema } },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      const job = await findNote(api, caller, params);
      const error = whyFailed(job);
      sendJson(response, 200, {
        job_id: job.recordingId,
        status: olderStatus(job),
        created_at: job.createdAt.toISOString(),
        diarize: job.frontDoor?.ask?.diarize === true,
        transcript_available: job.status === "completed",
        ...(error === null ? {} : { error }),
      });
    },
});

export const notesDownload = defineRoute({
  method: "get",
  path: "/compat/notes/{key}/jobs/{id}/download",
  operationId: "notesDownload",
  summary: "The transcript as text",
  description: "400 until the job is completed.",
  tag: TAG,
  scope: "read",
  query: "anything",
  answers: {
    200: { description: "The text, with who speaks where that was asked for", content: { "text/plain": null } },
  },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      const job = await findNote(api, caller, params);
      const transcript = await tenantJobs(api.db, caller.tenantId).transcript(job.id);
      if (job.status !== "completed" || transcript === null) {
        const failure = whyFailed(job);
        const why = failure === null ? `it is ${olderStatus(job)}` : `it failed: ${failure}`;
        throw new RequestError("invalid_request", `There is no transcript of this job; ${why}`);
      }
      const text = renderText(transcript.segments);
      response.setHeader("Content-Type", CONTENT_TYPES.text);
      response.setHeader("Content-Disposition", `attachment; filename="${job.recordingId}.txt"`);
      response.setHeader("Cache-Control", "no-store");
      response.setHeader("Content-Length", Buffer.byteLength(text));
      response.end(text);
    },
});

export const notesHealth = defineRoute({
  method: "get",
  path: "/compat/notes/{key}/health",
  operationId: "notesHealth",
  summary: "Whether the service lives",
  tag: TAG,
  scope: null,
  query: "anything",
  answers: { 200: { description: "It does", schema: z.object({ status: z.literal("ok") }) } },
  handle:
    () =>
    ({ response }) =>
      sendJson(response, 200, { status: "ok" }),
});

/** The form as a job of ours. Throws 400 that names the field, or the header. */
async function prepareNote(
  api: Api,
  caller: Caller,
  request: Request,
  fields: ReadonlyMap<string, string>,
): Promise<PreparedJob> {
  if (fields.has("url")) throw wrong({ path: "url", message: "is not known here: send the file alone" });
  const diarize = readFlag(fields.get("diarize"));
  const apiKey = request.get(PROVIDER_KEY)?.trim() || undefined;
  if (apiKey !== undefined && !providerKey.safeParse(apiKey).success)
    throw wrong({ path: PROVIDER_KEY, message: "must be 1 to 512 visible ASCII characters" });
  const asked = {
    ...(diarize ? { diarize } : {}),
    ...(apiKey === undefined ? {} : { engine: "openai" as const, provider_key: apiKey }),
  };
  return {
    ...(await checkedJob(api, caller, request, asked)),
    recordingId: randomUUID(),
    frontDoor: { door: "notes", ask: { diarize } },
    eraseAt: new Date(Date.now() + api.config.compat.COMPAT_NOTES_MINUTES * 60_000),
  };
}

/** As Python's forms read them. */
function readFlag(text = "false"): boolean {
  if (/^(true|1|on|yes|y|t)$/i.test(text)) return true;
  if (/^(false|0|off|no|n|f|)$/i.test(text)) return false;
  throw wrong({ path: "diarize", message: "must be true or false" });
}

function wrong(problem: FieldProblem): RequestError {
  return new RequestError("invalid_request", `\`${problem.path}\` ${problem.message}.`, { errors: [problem] });
}
