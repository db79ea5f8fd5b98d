import { type AssemblyaiAsk, httpUrl, safeText, type UploadFields } from "@scribe/domain";
import { isHeaderValue, mayBeForeignHeader } from "@scribe/webhooks";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { foreignModel } from "../foreign-model.ts";

const ASSEMBLYAI_MODELS = /^(best|nano|slam-1|universal(-\w+)*|conformer-\d+)$/;
const words = z.array(safeText(128)).max(256);
const milliseconds = z.number().min(0);

/** Of its `TranscriptParams`, what is carried out or holds anyway; the rest is ignored, and named. */
const known = {
  audio_url: httpUrl,
  language_code: safeText(16).nullish(),
  language_detection: z.boolean().nullish(),
  speaker_labels: z.boolean().nullish(),
  speakers_expected: z.int().min(1).max(50).nullish(),
  word_boost: words.nullish(),
  keyterms_prompt: words.nullish(),
  prompt: safeText(4096).nullish(),
  multichannel: z.boolean().nullish(),
  dual_channel: z.boolean().nullish(),
  audio_start_from: milliseconds.nullish(),
  audio_end_at: milliseconds.nullish(),
  speech_model: safeText(64).nullish(),
  speech_models: z.array(safeText(64)).nullish(),
  webhook_url: httpUrl.nullish(),
  webhook_auth_header_name: z
    .string()
    .refine(mayBeForeignHeader, "must be the name of a header that is the caller's to set")
    .nullish(),
  webhook_auth_header_value: z
    .string()
    .refine(isHeaderValue, "must be printable ASCII, 1,024 characters at most")
    .nullish(),
};
const HOLDS_ANYWAY = new Set(["punctuate", "format_text", "disfluencies", "boost_param"]);

export const assemblyaiParams = z.looseObject(known);

export interface AssemblyaiRequest {
  fields: UploadFields;
  ask: AssemblyaiAsk;
  audioUrl: string;
  webhookHeaders: Record<string, string>;
  ignored: string[];
}

/** AssemblyAI's parameters as a job of ours. Throws RequestError `unknown_model`. */
export function readAssemblyaiAsk(api: Api, params: z.output<typeof assemblyaiParams>): AssemblyaiRequest {
  const speechModel = params.speech_model ?? params.speech_models?.[0] ?? null;
  const split = params.multichannel === true || params.dual_channel === true;
  const diarize = params.speaker_labels === true;
  const hotwords = [...(params.word_boost ?? []), ...(params.keyterms_prompt ?? [])];
  const language = params.language_detection === true ? undefined : params.language_code?.split("_", 1)[0];
  const { audio_start_from: from, audio_end_at: to } = params;
  const headerName = params.webhook_auth_header_name ?? null;
  return {
    fields: {
      model: foreignModel(api, speechModel ?? undefined, ASSEMBLYAI_MODELS),
      ...(language ? { language: language.toLowerCase() } : {}),
      ...(diarize ? { diarize: true } : {}),
      ...(diarize && params.speakers_expected ? { num_speakers: params.speakers_expected } : {}),
      ...(split ? { channels: "split" as const } : {}),
      ...(hotwords.length > 0 ? { hotwords } : {}),
      ...(params.prompt ? { prompt: params.prompt } : {}),
      ...(from != null || to != null
        ? { clip: { ...(from != null && { start: from / 1000 }), ...(to != null && { end: to / 1000 }) } }
        : {}),
      ...(params.webhook_url ? { webhook_url: params.webhook_url } : {}),
    },
    ask: {
      audio_url: params.audio_url,
      speaker_labels: diarize,
      language_detection: params.language_detection === true,
      multichannel: split,
      webhook_url: params.webhook_url ?? null,
      webhook_auth_header_name: headerName,
      speech_model: speechModel,
    },
    audioUrl: params.audio_url,
    webhookHeaders: headerName === null ? {} : { [headerName.toLowerCase()]: params.webhook_auth_header_value ?? "" },
    ignored: Object.entries(params)
      .filter(([name, value]) => value != null && value !== false && !(name in known) && !HOLDS_ANYWAY.has(name))
      .map(([name]) => name),
  };
}
