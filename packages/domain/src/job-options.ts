import { z } from "zod";
import { enhanceOption } from "./enhancement.ts";
import { RequestError } from "./errors.ts";
import { httpUrl, safeText } from "./input-text.ts";
import { PRIORITIES, type Priority } from "./job-state.ts";
import { LEXICON_NAME } from "./lexicon/lexicon-content.ts";
import { ENTITY_TYPES } from "./redact/entity.ts";
import { findUnsafeText } from "./safe-text.ts";
import { DEFAULT_WEBHOOK_EVENTS, WEBHOOK_EVENTS } from "./webhook-event.ts";

export const MAX_METADATA_BYTES = 16 * 1024;

const metadataValue = z.union([safeText(MAX_METADATA_BYTES), z.number(), z.boolean(), z.null()]);

/**
 * The caller's own flat object. `synthetic` alone may be deeper: it is the script of the rehearsal engine.
 * Keys that name an object's machinery are unknown fields like any other.
 */
export const metadataSchema = z
  .record(safeText(256), z.unknown())
  .superRefine((metadata, context) => {
    for (const key of Object.keys(metadata)) {
      if (key === "__proto__" || key === "constructor" || key === "prototype") {
        context.addIssue({ code: "custom", path: [key], message: "is not a field" });
      } else if (key !== "synthetic" && !metadataValue.safeParse(metadata[key]).success) {
        context.addIssue({ code: "custom", path: [key], message: "must be a string, a number, a boolean or null" });
      } else if (findUnsafeText(metadata[key]) !== null) {
        context.addIssue({ code: "custom", path: [key], message: "must not contain NUL or lone surrogates" });
      }
    }
    if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES) {
      context.addIssue({ code: "custom", message: `must be at most ${MAX_METADATA_BYTES} bytes of JSON` });
    }
  })
  .meta({ description: "The caller's own flat JSON object (at most 16 KiB), given back everywhere" });

const offsetSeconds = z.number().min(0).max(1_000_000);

/** How audio becomes text; stored with the job, and part of what a checkpoint must agree with. */
export const transcriptionFields = {
  language: z
    .string()
    .regex(/^([a-z]{2,3}|auto)$/i, "must be an ISO 639-1 code or `auto`")
    .transform((code) => code.toLowerCase())
    .optional()
    .meta({ description: "ISO 639-1 code; `auto` or absent to detect" }),
  multilingual: z.boolean().optional().meta({ description: "Detect the language of each window" }),
  task: z.enum(["transcribe", "translate"]).optional(),
  prompt: safeText(4096).optional(),
  hotwords: z.array(safeText(128)).max(256).optional(),
  mode: z.enum(["packed", "sequential", "dialogue", "mono"]).optional(),
  temperature: z
    .union([z.number().min(0).max(1), z.array(z.number().min(0).max(1)).min(1).max(10)])
    .optional()
    .meta({ description: "A temperature, or the list that the fallback goes through" }),
  beam_size: z.int().min(1).max(16).optional(),
  best_of: z.int().min(1).max(16).optional(),
  patience: z.number().min(0.1).max(10).optional(),
  length_penalty: z.number().min(-1).max(1).optional(),
  compression_ratio_threshold: z.number().min(0).max(100).nullable().optional(),
  logprob_threshold: z.number().min(-100).max(0).nullable().optional(),
  no_speech_threshold: z.number().min(0).max(1).nullable().optional(),
  condition_on_previous_text: z.boolean().optional(),
  suppress_tokens: z.array(z.int().min(-1).max(1_000_000)).max(1024).optional(),
  prefix: safeText(1024).optional(),
  guards: z
    .strictObject({
      loops: z.boolean().optional(),
      silence: z.boolean().optional(),
      anomalies: z.boolean().optional(),
      context: z.boolean().optional(),
    })
    .optional()
    .meta({ description: "Switches of the guards against invented text; all are on by default" }),
  cache: z
    .boolean()
    .optional()
    .meta({ description: "`false`: compute it anew, and keep nothing for equal jobs (default true)" }),
  lexicon: z
    .string()
    .regex(LEXICON_NAME, "is not the name of a lexicon")
    .optional()
    .meta({ description: "Name of a word list of the tenant; the version of now applies" }),
  redact: z
    .array(z.enum(ENTITY_TYPES))
    .max(ENTITY_TYPES.length)
    .transform((types) => [...new Set(types)].sort())
    .optional()
    .meta({ description: "What is taken out of the transcript before anything is stored" }),
  enhance: enhanceOption.optional(),
  word_timestamps: z.boolean().optional(),
  vad: z.boolean().optional(),
  diarize: z.boolean().optional(),
  num_speakers: z.int().min(1).max(50).optional(),
  min_speakers: z.int().min(1).max(50).optional(),
  max_speakers: z.int().min(1).max(50).optional(),
  channels: z
    .enum(["mix", "split"])
    .optional()
    .meta({ description: "`split`: a speaker a channel, 2 to 8 of them; `mix` (default): the channels as one" }),
  clip: z
    .strictObject({ start: offsetSeconds.optional(), end: offsetSeconds.optional() })
    .refine(({ start = 0, end }) => end === undefined || end > start, {
      path: ["end"],
      message: "must be after `start`",
    })
    .optional(),
  extra_data: z.boolean().optional(),
} as const;

const transcriptionOptions = z.object({
  ...transcriptionFields,
  /** Which version of the lexicon stood when the job was submitted; no caller says it. */
  lexicon_version: z.object({ id: z.uuid(), version: z.int() }).optional(),
  /** The request's `provider_base_url`: it outlives the key, so that a retry goes there, or nowhere. */
  provider_address: httpUrl.optional(),
});
export type TranscriptionOptions = z.output<typeof transcriptionOptions>;

/** Options as a stored job holds them; what an older or newer replica wrote beside them is left alone. */
export function readStoredOptions(stored: unknown): TranscriptionOptions {
  return transcriptionOptions.parse(stored);
}

export const ENGINE_ALIASES: Readonly<Record<string, string>> = { "faster-whisper": "onnx", "stable-whisper": "onnx" };

/** A key goes into a header: visible ASCII. */
export const providerKey = z.string().regex(/^[\x21-\x7e]{1,512}$/, "must be 1 to 512 visible ASCII characters");

/** What a job carries beside its source, as JSON body or as form fields. */
export const jobFields = {
  engine: z.enum(["onnx", "faster-whisper", "stable-whisper", "openai", "assemblyai", "synthetic"]).optional(),
  model: safeText(256).min(1).optional(),
  provider_key: providerKey.optional().meta({
    description: "Key for the provider of `engine`; kept, encrypted, until the job ends (or `X-Provider-Key`)",
  }),
  provider_base_url: httpUrl
    .optional()
    .meta({ description: "Where `engine: openai` is asked instead; needs a key of the request's own" }),
  ...transcriptionFields,
  priority: z.enum(Object.keys(PRIORITIES) as [Priority, ...Priority[]]).optional(),
  webhook_url: httpUrl.optional(),
  webhook_events: z.array(z.enum(WEBHOOK_EVENTS)).min(1).max(WEBHOOK_EVENTS.length).optional(),
  webhook_secret: safeText(256).optional(),
  recording_id: safeText(256).optional(),
  metadata: metadataSchema.optional(),
} as const;

type SpeakerFields = Pick<
  z.output<z.ZodObject<typeof jobFields>>,
  "diarize" | "mode" | "num_speakers" | "min_speakers" | "max_speakers"
>;

/** How many speak is said once, is possible, and is asked only where speakers are told apart. */
function checkSpeakers(input: SpeakerFields, context: z.RefinementCtx): void {
  const { diarize, mode, num_speakers, min_speakers, max_speakers } = input;
  const refuse = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
  if (min_speakers !== undefined && max_speakers !== undefined && min_speakers > max_speakers) {
    refuse("min_speakers", "must not be greater than `max_speakers`");
  }
  if (num_speakers !== undefined && (min_speakers !== undefined || max_speakers !== undefined)) {
    refuse("num_speakers", "cannot stand beside `min_speakers` or `max_speakers`");
  }
  const given = (["num_speakers", "min_speakers", "max_speakers"] as const).find((field) => input[field] !== undefined);
  if (given && !(diarize ?? mode === "dialogue")) refuse(given, "needs `diarize: true`");
}

/** Where a job's audio comes from. */
export const sourceFields = { url: httpUrl.optional(), upload_id: z.string().max(64).optional() } as const;

/** What no schema of a single field says of a job. */
export function checkJob(
  body: z.output<z.ZodObject<typeof sourceFields>> & SpeakerFields,
  context: z.RefinementCtx,
): void {
  if ((body.url === undefined) === (body.upload_id === undefined)) {
    context.addIssue({ code: "custom", path: ["url"], message: "exactly one of `url` and `upload_id` is needed" });
  }
  checkSpeakers(body, context);
}

/** Body of `POST /transcribe`. */
export const transcribeBody = z.strictObject({ ...sourceFields, ...jobFields }).superRefine(checkJob);

/** Form fields of `POST /transcribe/upload`, after `readFormFields`. */
export const uploadFields = z.strictObject(jobFields).superRefine(checkSpeakers);

export type TranscribeBody = z.output<typeof transcribeBody>;
export type UploadFields = z.output<typeof uploadFields>;

const TEXT_FIELDS = new Set<string>([
  ...["engine", "model", "language", "task", "prompt", "mode", "prefix", "lexicon", "channels"],
  ...["provider_key", "provider_base_url", "priority", "webhook_url", "webhook_secret", "recording_id"],
]);

/**
 * Form fields are text: booleans read `true|false`, numbers, lists and objects are JSON. A value that is no JSON stays
 * the text it is, so that the schema names the field and what it should be.
 *
 * @throws RequestError where JSON names `__proto__`, which schemas drop without a word
 */
export function readFormFields(fields: ReadonlyMap<string, string>): Record<string, unknown> {
  const input: Record<string, unknown> = Object.create(null);
  for (const [name, text] of fields) {
    input[name] = TEXT_FIELDS.has(name) ? text : parseJsonOr(text, name);
  }
  return input;
}

function parseJsonOr(text: string, field: string): unknown {
  try {
    return JSON.parse(text, (key, value) => {
      if (key !== "__proto__") return value;
      const path = `${field}.__proto__`;
      const message = "is not a known field";
      throw new RequestError("invalid_request", `\`${path}\` ${message}.`, { errors: [{ path, message }] });
    });
  } catch (error) {
    if (error instanceof RequestError) throw error;
    return text;
  }
}

export interface JobRequest {
  engine: string;
  model: string | undefined;
  providerKey: string | undefined;
  providerBaseUrl: string | undefined;
  options: TranscriptionOptions;
  priority: number;
  webhookUrl: string | undefined;
  webhookEvents: readonly string[];
  webhookSecret: string | undefined;
  recordingId: string | undefined;
  metadata: Record<string, unknown>;
}

/** Sorts a parsed body into what a job is made of. */
export function toJobRequest(fields: UploadFields): JobRequest {
  const {
    engine = "onnx",
    model,
    provider_key,
    provider_base_url,
    priority,
    webhook_url,
    webhook_events,
    webhook_secret,
    recording_id,
    metadata,
    ...rest
  } = fields;
  return {
    engine: ENGINE_ALIASES[engine] ?? engine,
    model,
    providerKey: provider_key,
    providerBaseUrl: provider_base_url,
    options: transcriptionOptions.parse(withoutOldModes(rest)),
    priority: PRIORITIES[priority ?? "normal"],
    webhookUrl: webhook_url,
    webhookEvents: webhook_events ?? DEFAULT_WEBHOOK_EVENTS,
    webhookSecret: webhook_secret,
    recordingId: recording_id,
    metadata: metadata ?? {},
  };
}

/** `dialogue` and `mono` are what older callers say for diarization on and off; what is said in today's words wins. */
function withoutOldModes({ mode, ...rest }: Pick<UploadFields, "mode" | "diarize">) {
  if (mode === "dialogue" || mode === "mono") return { diarize: mode === "dialogue", ...rest };
  return mode === undefined ? rest : { mode, ...rest };
}
