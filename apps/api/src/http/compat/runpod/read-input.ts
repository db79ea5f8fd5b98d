import { type FieldProblem, httpUrl, RequestError, type RunpodAsk, safeText, type UploadFields } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { foreignModel } from "../foreign-model.ts";

const speakers = z.int().min(1).max(50).nullish();
const diarizationArgs = z.looseObject({ num_speakers: speakers, min_speakers: speakers, max_speakers: speakers });
const outputOptions = z.looseObject({ word_timestamps: z.boolean().nullish(), extra_data: z.boolean().nullish() });

const audio = {
  url: httpUrl.nullish(),
  blob: z.string().nullish(),
  /** Of the oldest form, beside `type: "blob"`. */
  data: z.string().nullish(),
  language: safeText(16).nullish(),
  diarize: z.boolean().nullish(),
  diarization_args: diarizationArgs.nullish(),
  output_options: outputOptions.nullish(),
};

const single = z.looseObject({
  ...audio,
  type: z.enum(["url", "blob"]).nullish(),
  engine: safeText(64).nullish(),
  model: safeText(256).nullish(),
  streaming: z.boolean().nullish(),
  transcribe_args: z.looseObject(audio).nullish(),
  webhook_url: httpUrl.nullish(),
  recording_id: safeText(256).nullish(),
});

export const runpodBody = z.looseObject({
  input: z.union([single, z.array(single).length(1, "must hold one input: a job has one recording")]),
  webhook: httpUrl.nullish(),
  policy: z.looseObject({ lowPriority: z.boolean().nullish() }).nullish(),
});

export type RunpodSource = { url: string } | { blob: string };

export interface RunpodRequest {
  fields: UploadFields;
  ask: RunpodAsk;
  source: RunpodSource;
  /** `legacy`: of the input's own `webhook_url`, which knows recordings rather than jobs. */
  webhook: "runpod" | "legacy" | null;
  ignored: string[];
}

/** Models of the original workers, by their CTranslate2 names, resolve as everywhere; sizes alone do, too. */
const RUNPOD_MODELS = /^$/;

/**
 * RunPod's envelope and the input of its whisper workers, in any of their forms, as a job of ours.
 *
 * @throws RequestError `invalid_request`, `unknown_model`
 */
export function readRunpodInput(api: Api, endpoint: string, body: z.output<typeof runpodBody>): RunpodRequest {
  const input = Array.isArray(body.input) ? body.input[0] : body.input;
  if (input === undefined) throw wrong({ path: "input", message: "is needed" });
  const given = { ...input, ...input.transcribe_args };
  const { num_speakers, min_speakers, max_speakers } = given.diarization_args ?? {};
  const { word_timestamps, extra_data } = given.output_options ?? {};
  const webhook = body.webhook ?? input.webhook_url;
  const diarize = given.diarize === true;
  return {
    fields: {
      model: foreignModel(api, input.model ?? undefined, RUNPOD_MODELS),
      ...(given.language ? { language: given.language.toLowerCase() } : {}),
      ...(diarize ? { diarize } : {}),
      ...(diarize && num_speakers != null ? { num_speakers } : {}),
      ...(diarize && min_speakers != null ? { min_speakers } : {}),
      ...(diarize && max_speakers != null ? { max_speakers } : {}),
      ...(extra_data ? { extra_data } : {}),
      ...(body.policy?.lowPriority ? { priority: "low" as const } : {}),
      ...(webhook != null ? { webhook_url: webhook } : {}),
      ...(webhook != null && body.webhook == null
        ? { webhook_events: ["job.started", "job.completed", "job.failed"] as const }
        : {}),
      ...(input.recording_id != null ? { recording_id: input.recording_id } : {}),
    } as UploadFields,
    ask: {
      endpoint,
      streaming: input.streaming === true,
      wordTimestamps: word_timestamps !== false,
      extraData: extra_data === true,
    },
    source: readSource(given),
    webhook: webhook == null ? null : body.webhook == null ? "legacy" : "runpod",
    ignored: ignoredOf(body, input),
  };
}

function readSource({
  url,
  blob,
  data,
}: {
  url?: string | null | undefined;
  blob?: string | null | undefined;
  data?: string | null | undefined;
}): RunpodSource {
  const bytes = blob ?? data;
  if ((url == null) === (bytes == null)) {
    throw wrong({ path: "input.transcribe_args", message: "needs exactly one of `url` and `blob`" });
  }
  return url == null ? { blob: bytes ?? "" } : { url };
}

/** By path, however deep it stands. */
function ignoredOf(body: z.output<typeof runpodBody>, input: z.output<typeof single>): string[] {
  const args = input.transcribe_args;
  return [
    ...unknown(body, ["input", "webhook", "policy"]),
    ...unknown(body.policy, ["lowPriority"], "policy."),
    ...unknown(input, Object.keys(single.shape), "input."),
    ...unknownBelow(input, "input."),
    ...unknown(args, Object.keys(audio), "input.transcribe_args."),
    ...unknownBelow(args, "input.transcribe_args."),
  ];
}

function unknownBelow(
  holder: Pick<z.output<typeof single>, "diarization_args" | "output_options"> | null | undefined,
  path: string,
) {
  return [
    ...unknown(holder?.diarization_args, Object.keys(diarizationArgs.shape), `${path}diarization_args.`),
    ...unknown(holder?.output_options, Object.keys(outputOptions.shape), `${path}output_options.`),
  ];
}

function unknown(given: object | null | undefined, known: readonly string[], path = ""): string[] {
  const names = Object.keys(given ?? {}).filter((name) => !known.includes(name));
  return names.map((name) => path + name);
}

function wrong(problem: FieldProblem): RequestError {
  return new RequestError("invalid_request", `\`${problem.path}\` ${problem.message}.`, { errors: [problem] });
}
