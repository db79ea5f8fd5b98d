import {
  type AssemblyaiSpan,
  assemblyaiParagraphs,
  assemblyaiSentences,
  assemblyaiWords,
  CONTENT_TYPES,
  RequestError,
  renderSrt,
  renderVtt,
  searchWords,
  type Transcript,
} from "@scribe/domain";
import { z } from "zod";
import { defineRoute, type Route } from "../../../openapi/route.ts";
import { sendJson } from "../../send-json.ts";
import { findTranscript, TAG } from "./transcripts.ts";

const PATH = "/assemblyai/v2/transcript/{id}";
/** Words and phrases of one search. */
const MOST_PHRASES = 100;

const part = (name: string, summary: string, view: (transcript: Transcript) => object): Route =>
  defineRoute({
    method: "get",
    path: `${PATH}/${name}`,
    operationId: `assemblyai${name[0]?.toUpperCase()}${name.slice(1)}`,
    summary,
    tag: TAG,
    scope: "read",
    query: "anything",
    answers: { 200: { description: summary, schema: z.looseObject({ id: z.string() }) } },
    handle:
      (api) =>
      async ({ response, caller, params }) => {
        const { job, transcript } = await findTranscript(api, caller, params.id);
        const confidence = mean(assemblyaiWords(transcript));
        sendJson(response, 200, { id: job.id, confidence, audio_duration: transcript.duration, ...view(transcript) });
      },
  });

export const assemblyaiSentencesRoute = part("sentences", "The sentences of a transcript", (transcript) => ({
  sentences: assemblyaiSentences(transcript) satisfies AssemblyaiSpan[],
}));

export const assemblyaiParagraphsRoute = part("paragraphs", "The paragraphs of a transcript", (transcript) => ({
  paragraphs: assemblyaiParagraphs(transcript),
}));

const captions = (format: "srt" | "vtt"): Route =>
  defineRoute({
    method: "get",
    path: `${PATH}/${format}`,
    operationId: `assemblyai${format === "srt" ? "Srt" : "Vtt"}`,
    summary: `A transcript as ${format === "srt" ? "SubRip" : "WebVTT"}`,
    tag: TAG,
    scope: "read",
    query: z.object({ chars_per_caption: z.coerce.number().int().min(8).max(1000).optional() }),
    answers: { 200: { description: "The subtitles", content: { "text/plain": null } } },
    handle:
      (api) =>
      async ({ response, caller, params, query }) => {
        const { transcript } = await findTranscript(api, caller, params.id);
        const maxChars = query.chars_per_caption;
        const options = {
          speakers: false,
          ...(maxChars === undefined ? {} : { maxCharsPerLine: maxChars, maxLines: 1 }),
        };
        const text = (format === "srt" ? renderSrt : renderVtt)(transcript.segments, options);
        response.setHeader("Content-Type", CONTENT_TYPES.text);
        response.end(text);
      },
  });

export const assemblyaiSrt = captions("srt");
export const assemblyaiVtt = captions("vtt");

export const assemblyaiWordSearch = defineRoute({
  method: "get",
  path: `${PATH}/word-search`,
  operationId: "assemblyaiWordSearch",
  summary: "Where words occur in a transcript",
  tag: TAG,
  scope: "read",
  query: z.object({ words: z.string().min(1).max(4096) }),
  answers: { 200: { description: "The words with their times", schema: z.looseObject({ id: z.string() }) } },
  handle:
    (api) =>
    async ({ response, caller, params, query }) => {
      const words = query.words.split(",").filter((word) => word.trim() !== "");
      if (words.length > MOST_PHRASES) {
        const message = `must be at most ${MOST_PHRASES} words or phrases`;
        throw new RequestError("invalid_request", `\`words\` ${message}.`, { errors: [{ path: "words", message }] });
      }
      const { job, transcript } = await findTranscript(api, caller, params.id);
      const matches = searchWords(transcript, words);
      const total = matches.reduce((sum, { count }) => sum + count, 0);
      sendJson(response, 200, { id: job.id, total_count: total, matches });
    },
});

function mean(words: readonly { confidence: number }[]): number {
  return words.length === 0 ? 0 : words.reduce((sum, { confidence }) => sum + confidence, 0) / words.length;
}
