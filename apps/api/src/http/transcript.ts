import { type JobRow, tenantJobs } from "@scribe/database";
import {
  CONTENT_TYPES,
  FILE_EXTENSIONS,
  RequestError,
  renderSrt,
  renderText,
  renderTsv,
  renderVtt,
  type Segment,
  type SubtitleOptions,
  TRANSCRIPT_FORMATS,
  type Transcript,
  type TranscriptFormat,
} from "@scribe/domain";
import type { Response } from "express";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { segmentSchema, transcriptSchema } from "./job-view.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { queryFlag, queryInt } from "./query-types.ts";
import { sendJson } from "./send-json.ts";

/** What a line of subtitles usually holds, where only the number of lines is asked for. */
const USUAL_CHARS_PER_LINE = 42;

const partialSchema = answerSchema(
  "PartialTranscript",
  z.object({ partial: z.literal(true), segments: z.array(segmentSchema) }),
);

export const transcriptContent = {
  "application/json": z.union([transcriptSchema, partialSchema]),
  "text/plain": null,
  "application/x-subrip": null,
  "text/vtt": null,
  "text/tab-separated-values": null,
} as const;

export const getTranscript = defineRoute({
  method: "get",
  path: "/api/v1/jobs/{id}/transcript",
  operationId: "getTranscript",
  summary: "The transcript as JSON, text or subtitles",
  tag: "Jobs",
  scope: "read",
  query: z
    .strictObject({
      format: z.enum(TRANSCRIPT_FORMATS).optional().meta({ description: "`json` where absent" }),
      max_chars_per_line: queryInt(1, 1000).optional().meta({ description: "Of `srt` and `vtt`" }),
      max_lines: queryInt(1, 100).optional().meta({ description: "Lines of a cue, of `srt` and `vtt`" }),
      speakers: queryFlag.optional().meta({ description: "`false` leaves out who speaks" }),
      download: queryFlag.optional().meta({ description: "`1`: as a file, with a name" }),
      partial: queryFlag
        .optional()
        .meta({ description: "`true`: of a job that is not completed, the segments that there are" }),
    })
    .superRefine(({ format = "json", ...query }, context) => {
      if (format === "srt" || format === "vtt") return;
      for (const name of ["max_chars_per_line", "max_lines"] as const) {
        if (query[name] === undefined) continue;
        context.addIssue({ code: "custom", path: [name], message: "is of the formats srt and vtt only" });
      }
    }),
  answers: {
    200: {
      description: "The transcript",
      content: transcriptContent,
    },
  },
  handle:
    ({ db }) =>
    async ({ response, caller, params, query }) => {
      const id = idFrom(params, "job");
      const { format = "json", partial = false, download = false } = query;
      const jobs = tenantJobs(db, caller.tenantId);
      const job = await jobs.get(id);
      if (!job) throw notFound("job");
      const whole = job.status === "completed" ? await jobs.transcript(id) : null;
      if (!whole && !partial) {
        throw noTranscript(job);
      }
      const segments = whole ? whole.segments : await jobs.segments(id);
      if (download) {
        const name = `${job.id}.${FILE_EXTENSIONS[format]}`;
        response.setHeader("Content-Disposition", `attachment; filename="${name}"`);
      }
      sendTranscript(response, whole ?? { partial: true, segments }, { ...query, format });
    },
});

interface Rendering {
  format: TranscriptFormat;
  max_chars_per_line?: number | undefined;
  max_lines?: number | undefined;
  speakers?: boolean | undefined;
}

/** Answers with a transcript, whole or what there is of it, in one of the formats. */
export function sendTranscript(
  response: Response,
  body: Transcript | { partial: true; segments: Segment[] },
  { format, ...query }: Rendering,
): void {
  if (format === "json") {
    sendJson(response, 200, query.speakers === false ? withoutSpeakers(body) : body);
    return;
  }
  const text = RENDER[format](body.segments, subtitleOptions(query));
  response.setHeader("Content-Type", CONTENT_TYPES[format]);
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(text);
}

export function noTranscript(job: JobRow): RequestError {
  return new RequestError("conflict", `There is no transcript: the job is ${job.status}.`);
}

const RENDER = {
  text: renderText,
  srt: renderSrt,
  vtt: renderVtt,
  tsv: renderTsv,
} as const satisfies Record<
  Exclude<TranscriptFormat, "json">,
  (segments: readonly Segment[], options: SubtitleOptions) => string
>;

function subtitleOptions(query: Omit<Rendering, "format">): SubtitleOptions {
  return {
    maxCharsPerLine: query.max_chars_per_line ?? (query.max_lines === undefined ? undefined : USUAL_CHARS_PER_LINE),
    maxLines: query.max_lines,
    speakers: query.speakers,
  };
}

function withoutSpeakers<T extends Transcript | { partial: boolean; segments: Segment[] }>(transcript: T) {
  const { speakers: _names, diarization: _turns, ...rest } = transcript as Transcript;
  return {
    ...rest,
    segments: rest.segments.map(({ speaker: _speaker, words, ...segment }) => ({
      ...segment,
      ...(words ? { words: words.map(({ speaker: _of, ...word }) => word) } : {}),
    })),
  };
}
