import { createHash } from "node:crypto";
import { type SearchPlace, searchSegments } from "@scribe/database";
import { isUuid, RequestError, safeText } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { notFound } from "./middleware/render-problem.ts";
import { queryInt, queryTime } from "./query-types.ts";
import { sendJson } from "./send-json.ts";

const searchPage = answerSchema(
  "SearchPage",
  z.object({
    data: z.array(
      z.object({
        job_id: z.uuid(),
        recording_id: z.string().nullable(),
        created_at: z.iso.datetime(),
        segment_id: z.int(),
        start: z.number(),
        end: z.number(),
        speaker: z.string().optional(),
        text: z.string(),
        highlights: z
          .array(z.object({ start: z.int(), end: z.int() }))
          .meta({ description: "What was found, in UTF-16 units of `text`; the end is exclusive" }),
      }),
    ),
    next_cursor: z.string().nullable(),
  }),
);

export const search = defineRoute({
  method: "get",
  path: "/api/v1/search",
  operationId: "search",
  summary: "Where something is said, in all completed transcripts",
  description:
    'Words that all must occur in a segment, `"a phrase"`, `or`, `-without`. Segments of the newest job come first.',
  tag: "Search",
  scope: "read",
  query: z.strictObject({
    q: safeText(256).meta({ description: "What is looked for, up to 256 characters" }),
    limit: queryInt(1, 100).optional().meta({ description: "1 to 100; 20 where absent" }),
    cursor: z.string().max(512).optional().meta({ description: "`next_cursor` of the page before" }),
    job_id: z.uuid().optional(),
    recording_id: safeText(256).optional(),
    language: z
      .string()
      .regex(/^[a-z]{2,3}$/i, "must be an ISO 639-1 code")
      .optional()
      .meta({ description: "Only transcripts whose words are indexed as those of this language" }),
    created_after: queryTime.optional(),
    created_before: queryTime.optional(),
  }),
  answers: { 200: { description: "A page of segments", schema: searchPage } },
  handle:
    ({ db, searches }) =>
    async ({ response, caller, query }) => {
      const { limit = 20, cursor, ...filter } = query;
      const after = cursor === undefined ? undefined : readCursor(cursor, caller);
      const leave = searches.take(caller.keyId);
      const rows = await searchSegments(db, caller.tenantId, {
        q: filter.q,
        limit: limit + 1,
        cursor: after,
        jobId: filter.job_id,
        recordingId: filter.recording_id,
        language: filter.language,
        createdAfter: filter.created_after,
        createdBefore: filter.created_before,
      }).finally(leave);
      if (rows === null) throw wrong("q", "has no word that can be looked for");
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1) : undefined;
      sendJson(response, 200, {
        data: page.map(({ jobId, recordingId, createdAt, index, start, end, speaker, text, highlights }) => ({
          ...{ job_id: jobId, recording_id: recordingId, created_at: createdAt.toISOString() },
          ...{ segment_id: index, start, end },
          ...(speaker === null ? {} : { speaker }),
          ...{ text, highlights },
        })),
        next_cursor: last === undefined ? null : writeCursor(last, caller),
      });
    },
});

function wrong(path: string, message: string): RequestError {
  return new RequestError("invalid_request", `\`${path}\` ${message}.`, { errors: [{ path, message }] });
}

/** Where a page ended, bound to the tenant: somebody else's is unknown here. */
function writeCursor({ jobId, index }: SearchPlace, caller: Caller): string {
  return Buffer.from(`${jobId} ${index} ${tenantTag(caller)}`).toString("base64url");
}

function readCursor(text: string, caller: Caller): SearchPlace {
  const [jobId = "", index = "", tag] = Buffer.from(text, "base64url").toString("utf8").split(" ");
  if (!isUuid(jobId) || !/^[0-9]{1,9}$/.test(index))
    throw wrong("cursor", "is not a `next_cursor` of an earlier answer");
  if (tag !== tenantTag(caller)) throw notFound("cursor");
  return { jobId, index: Number(index) };
}

function tenantTag({ tenantId }: Caller): string {
  return createHash("sha256").update(`search ${tenantId}`).digest("base64url").slice(0, 12);
}
