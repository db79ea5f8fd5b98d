import { tenantJobs } from "@scribe/database";
import { toParagraphs } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";
import { noTranscript } from "./transcript.ts";

const paragraphsSchema = answerSchema(
  "Paragraphs",
  z.object({
    paragraphs: z.array(
      z.object({
        start: z.number(),
        end: z.number(),
        speaker: z.string().optional(),
        text: z.string(),
        first_segment: z.int().meta({ description: "Id of its first segment" }),
        last_segment: z.int(),
      }),
    ),
  }),
);

export const getParagraphs = defineRoute({
  method: "get",
  path: "/api/v1/jobs/{id}/paragraphs",
  operationId: "getParagraphs",
  summary: "The transcript in paragraphs",
  description: "A new one begins where the speaker changes, after a pause of two seconds, and where one grows long.",
  tag: "Jobs",
  scope: "read",
  answers: { 200: { description: "The paragraphs, in order", schema: paragraphsSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller, params }) => {
      const id = idFrom(params, "job");
      const jobs = tenantJobs(db, caller.tenantId);
      const job = await jobs.get(id);
      if (!job) throw notFound("job");
      if (job.status !== "completed") throw noTranscript(job);
      sendJson(response, 200, { paragraphs: toParagraphs(await jobs.segments(id)) });
    },
});
