import { tenantJobs } from "@scribe/database";
import { RequestError, renderTimeline, safeText } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";
import { noTranscript } from "./transcript.ts";

/** A name, with a role beside it. */
const MAX_NAME_LENGTH = 128;
const MOST_NAMES = 64;

const speakerName = safeText(MAX_NAME_LENGTH)
  .trim()
  .min(1)
  .refine((name) => !/\p{Cc}/u.test(name), "must be one line of text");

export const patchSpeakers = defineRoute({
  method: "patch",
  path: "/api/v1/jobs/{id}/speakers",
  operationId: "renameSpeakers",
  summary: "Other names for a job's speakers, in every format",
  description: "All or none: names given together may also change places.",
  tag: "Jobs",
  scope: "transcribe",
  body: {
    kind: "json",
    schema: requestSchema(
      "RenameSpeakers",
      z.strictObject({
        speakers: z
          .record(safeText(MAX_NAME_LENGTH), speakerName)
          .refine((names) => Object.keys(names).length <= MOST_NAMES, `must have at most ${MOST_NAMES} names`)
          .meta({ description: "The new name by the present one", examples: [{ SPEAKER_00: "Anna" }] }),
      }),
    ),
  },
  answers: {
    200: {
      description: "The job's speakers as they are called now",
      schema: answerSchema("Speakers", z.object({ speakers: z.array(z.string()) })),
    },
  },
  handle:
    ({ db }) =>
    async ({ response, caller, params, body }) => {
      const id = idFrom(params, "job");
      const jobs = tenantJobs(db, caller.tenantId);
      const job = await jobs.get(id);
      if (!job) throw notFound("job");
      if (job.status !== "completed") throw noTranscript(job);
      const speakers = await jobs.renameSpeakers(id, new Map(Object.entries(body.speakers)));
      if (speakers === null) throw notFound("job");
      sendJson(response, 200, { speakers });
    },
});

export const getTimeline = defineRoute({
  method: "get",
  path: "/api/v1/jobs/{id}/timeline.svg",
  operationId: "drawTimeline",
  summary: "Who speaks when, drawn: a row for each speaker",
  tag: "Jobs",
  scope: "read",
  answers: { 200: { description: "The drawing", content: { "image/svg+xml": null } } },
  handle:
    ({ db }) =>
    async ({ response, caller, params }) => {
      const id = idFrom(params, "job");
      const jobs = tenantJobs(db, caller.tenantId);
      const job = await jobs.get(id);
      if (!job) throw notFound("job");
      const transcript = job.status === "completed" ? await jobs.transcript(id) : null;
      if (!transcript) throw noTranscript(job);
      const { diarization, speakers = [], duration } = transcript;
      if (!diarization) throw new RequestError("conflict", "Speakers were not told apart in this job.");
      const drawing = renderTimeline(diarization.turns, speakers, duration);
      response.setHeader("Content-Type", "image/svg+xml; charset=utf-8");
      response.setHeader("Cache-Control", "no-store");
      // Whoever opens it as a page gets a picture, and nothing that runs.
      response.setHeader("Content-Security-Policy", "default-src 'none'; sandbox");
      response.setHeader("Content-Length", Buffer.byteLength(drawing));
      response.end(drawing);
    },
});
