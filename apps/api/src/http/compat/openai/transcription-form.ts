import { type FieldProblem, RequestError, type UploadFields } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { foreignModel } from "../foreign-model.ts";

export const RESPONSE_FORMATS = ["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] as const;
export type ResponseFormat = (typeof RESPONSE_FORMATS)[number];

/** Names that its clients send; dated ones, too. */
const OPENAI_MODELS = /^(whisper-1|gpt-(4o-)?(mini-)?transcribe(-diarize)?(-\d{4}-\d{2}-\d{2})?)$/;

const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const numberText = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/, "must be a number")
  .transform(Number);
const listText = z.string().transform((text) => JSON.parse(text) as string[]);

/** A list may come as `name[]`, again and again, or once as `name`. */
const oneAsList = z.string().transform((text) => [text]);

const form = z.object({
  model: z.string().max(256).optional(),
  language: z.string().max(32).optional(),
  prompt: z.string().max(4096).optional(),
  response_format: z.enum(RESPONSE_FORMATS).optional(),
  temperature: numberText.pipe(z.number().min(0).max(1)).optional(),
  stream: flag.optional(),
  "timestamp_granularities[]": listText.pipe(z.array(z.enum(["word", "segment"]))).optional(),
  timestamp_granularities: oneAsList.pipe(z.array(z.enum(["word", "segment"]))).optional(),
  "include[]": listText.optional(),
  include: oneAsList.optional(),
  chunking_strategy: z.string().max(1024).optional(),
  "chunking_strategy[type]": z.string().max(64).optional(),
  "known_speaker_names[]": listText.pipe(z.array(z.string().max(128)).max(50)).optional(),
  "keywords[]": listText.pipe(z.array(z.string().max(128)).max(256)).optional(),
  "languages[]": listText.optional(),
});

const KNOWN = new Set([...Object.keys(form.shape), "file"]);
/** Known, and nothing comes of them: windows are always cut at pauses, and log probabilities stand by segment. */
const WITHOUT_EFFECT = ["include[]", "include"];

export interface TranscriptionAsk {
  fields: UploadFields;
  format: ResponseFormat;
  stream: boolean;
  granularities: readonly ("word" | "segment")[];
  speakerNames: readonly string[];
  ignored: string[];
}

/**
 * OpenAI's form as a job of ours. Called first with what came before the file, so that a wrong field is refused before
 * a large body is read, then with all.
 *
 * @throws RequestError `invalid_request`, `unknown_model`
 */
export function readTranscriptionForm(
  api: Api,
  task: "transcribe" | "translate",
  given: ReadonlyMap<string, string>,
): TranscriptionAsk {
  const parsed = form.safeParse(Object.fromEntries([...given].filter(([name]) => KNOWN.has(name))));
  if (!parsed.success) throw wrong(parsed.error);
  const ask = parsed.data;
  const diarize = ask.response_format === "diarized_json" || (ask.model?.includes("diarize") ?? false);
  const format = ask.response_format ?? (diarize ? "diarized_json" : "json");
  const speakerNames = ask["known_speaker_names[]"] ?? [];
  const languages = ask["languages[]"] ?? [];
  const language = ask.language ?? (languages.length === 1 ? languages[0] : undefined);
  const hotwords = ask["keywords[]"] ?? [];
  const ignored = [...given.keys()].filter((name) => !KNOWN.has(name) || WITHOUT_EFFECT.includes(name));
  if (languages.length > 1) ignored.push("languages[]");
  return {
    fields: {
      // What is so anyway is not said: equal jobs are to look equal, whichever door they came by.
      ...(task === "translate" ? { task } : {}),
      model: foreignModel(api, ask.model, OPENAI_MODELS),
      ...(language ? { language: language.toLowerCase() } : {}),
      ...(ask.prompt ? { prompt: ask.prompt } : {}),
      ...(hotwords.length > 0 ? { hotwords } : {}),
      // 0 is "rise by itself where needed", which is what happens without it.
      ...(ask.temperature ? { temperature: ask.temperature } : {}),
      ...(diarize ? { diarize: true } : {}),
      ...(diarize && speakerNames.length > 0 ? { num_speakers: speakerNames.length } : {}),
      ...(format === "verbose_json" ? { extra_data: true } : {}),
    },
    format,
    stream: ask.stream ?? false,
    granularities: ask["timestamp_granularities[]"] ?? ask.timestamp_granularities ?? ["segment"],
    speakerNames,
    ignored,
  };
}

function wrong(error: z.ZodError): RequestError {
  const problems = error.issues.map((issue): FieldProblem => ({ path: issue.path.join("."), message: issue.message }));
  const [first] = problems;
  return new RequestError("invalid_request", `Invalid value for \`${first?.path}\`: ${first?.message}.`, {
    errors: problems,
  });
}
