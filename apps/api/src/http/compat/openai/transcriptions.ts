import { z } from "zod";
import { defineRoute, type Route } from "../../../openapi/route.ts";
import { whenClosed } from "../../../when-closed.ts";
import { receiveForm } from "../../receive-audio.ts";
import { answerWhenDone } from "../answer-when-done.ts";
import { tellIgnored } from "../ignored-fields.ts";
import { checkedJob, submitForeignAudio } from "../submit-job.ts";
import { renderOpenai } from "./render.ts";
import { streamTranscript } from "./stream-transcript.ts";
import { RESPONSE_FORMATS, readTranscriptionForm } from "./transcription-form.ts";

const text = z.string().optional();
const form = z.object({
  file: z.string().meta({ format: "binary", description: "Audio or video" }),
  model: text,
  language: text,
  prompt: text,
  response_format: z.enum(RESPONSE_FORMATS).optional(),
  temperature: z.number().optional(),
  stream: z.boolean().optional(),
  "timestamp_granularities[]": z.array(z.enum(["word", "segment"])).optional(),
  "known_speaker_names[]": z.array(z.string()).optional(),
  "keywords[]": z.array(z.string()).optional(),
});

const openaiTask = (task: "transcribe" | "translate", details: Pick<Route, "path" | "operationId" | "summary">) =>
  defineRoute({
    ...details,
    method: "post",
    description:
      "For clients of OpenAI's audio API. Answers when the transcript is there; headers come when some of it is, " +
      "at the latest after 45 seconds. What is not carried out is named in `X-Ignored-Fields`.",
    tag: "OpenAI",
    scope: "transcribe",
    query: "anything",
    body: { kind: "multipart", schema: form },
    answers: {
      200: {
        description: "The transcript in the format that was asked for; with `stream`, Server-Sent Events",
        schema: z.unknown(),
        content: { "text/plain": null, "text/vtt": null, "text/event-stream": null },
        headers: { "X-Ignored-Fields": "Fields that came and are not carried out" },
      },
    },
    handle:
      (api) =>
      async ({ request, response, caller }) => {
        whenClosed(response, api.waiting.take(caller.keyId));
        const readFields = async (fields: ReadonlyMap<string, string>) => {
          const ask = readTranscriptionForm(api, task, fields);
          return { ask, job: await checkedJob(api, caller, request, ask.fields) };
        };
        const audio = await receiveForm(api, caller, request, { foreign: true, readFields });
        const { ask, job } = audio.asked;
        const { id: jobId } = await submitForeignAudio(api, caller, job, { audio, attach: true });
        tellIgnored(response, ask.ignored);
        if (ask.stream) await streamTranscript(api, caller, { jobId, response, ask });
        else await answerWhenDone(api, caller, { jobId, response, foreign: renderOpenai(ask) });
      },
  });

export const openaiTranscription = openaiTask("transcribe", {
  path: "/v1/audio/transcriptions",
  operationId: "openaiTranscription",
  summary: "Transcribe as OpenAI's API does",
});

export const openaiTranslation = openaiTask("translate", {
  path: "/v1/audio/translations",
  operationId: "openaiTranslation",
  summary: "Translate speech into English as OpenAI's API does",
});
