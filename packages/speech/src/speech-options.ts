import { z } from "zod";
import { SpeechError } from "./speech-error.ts";

const temperature = z.number().min(0).max(1);

/**
 * What a transcription request may ask for, named as callers of the API name it. An option that the engine does not
 * know is refused, never ignored.
 */
export const speechOptionsSchema = z.strictObject({
  /** ISO 639-1 code; absent or `auto`: detected. */
  language: z.string().min(1).max(16).optional(),
  task: z.enum(["transcribe", "translate"]).default("transcribe"),
  /** One temperature, or those to fall back to, in order, when a window's text fails its thresholds. */
  temperature: z.union([temperature, z.array(temperature).min(1).max(16)]).default([0, 0.2, 0.4, 0.6, 0.8, 1]),
  /** Text that precedes the first window, as if it had been said. */
  prompt: z.string().max(8192).optional(),
  word_timestamps: z.boolean().default(false),
  condition_on_previous_text: z.boolean().default(true),
  /** Token ids never to emit; `-1` stands for the model's own list, which is also the default. */
  suppress_tokens: z.array(z.int().min(-1)).max(4096).optional(),
  no_speech_threshold: z.number().min(0).max(1).nullable().default(0.6),
  logprob_threshold: z.number().max(0).nullable().default(-1),
  compression_ratio_threshold: z.number().positive().nullable().default(2.4),
  /** Windows side by side, or one after the other in the context of those before. */
  mode: z.enum(["packed", "sequential"]).optional(),
  /** Voice activity detection. Default: on, but for `sequential` with a single temperature. */
  vad: z
    .union([
      z.boolean(),
      z.strictObject({
        /** Probability from which a sound counts as speech. */
        threshold: z.number().min(0.01).max(0.99).default(0.5),
        /** A longer silence is not heard. */
        min_silence_seconds: z.number().min(0.1).max(60).default(2),
        /** Heard before and behind speech. */
        padding_seconds: z.number().min(0).max(5).default(0.2),
      }),
    ])
    .optional(),
  /** The language of each window is detected. */
  multilingual: z.boolean().default(false),
  /** Words that are likely to be said. */
  hotwords: z.array(z.string().max(128)).max(256).default([]),
  /** What the text of every window begins with. */
  prefix: z.string().max(1024).optional(),
  /** Texts that the search at temperature 0 follows; 1: none but the best. */
  beam_size: z.int().min(1).max(16).default(1),
  patience: z.number().min(0.1).max(10).default(1),
  length_penalty: z.number().min(-1).max(1).nullable().default(null),
  /** Samples at temperatures above 0, of which the most probable is taken. */
  best_of: z.int().min(1).max(16).default(1),
  /** Switches of the guards against invented text. */
  guards: z
    .strictObject({
      loops: z.boolean().default(true),
      silence: z.boolean().default(true),
      anomalies: z.boolean().default(true),
      context: z.boolean().default(true),
    })
    .prefault({}),
  /** The part of the audio to transcribe, in seconds. */
  clip: z
    .strictObject({ start: z.number().min(0), end: z.number().positive() })
    .refine((clip) => clip.end > clip.start, "ends before it starts")
    .optional(),
});

/** Options as a caller gives them. */
export type SpeechOptions = z.input<typeof speechOptionsSchema>;
/** Options with every default filled in. */
export type ParsedSpeechOptions = z.output<typeof speechOptionsSchema>;

/**
 * Whether Whisper's published loop goes over all of the file as it is; else speech is looked for first, and its windows are
 * heard: side by side, or by `sequential` each in the context of those before. With one temperature `sequential` asks for
 * that loop and nothing else, unless voice activity detection is asked for, too.
 */
export function hearsAsReference({ mode, vad, temperature }: ParsedSpeechOptions): boolean {
  if (mode !== "sequential") return mode === undefined && vad === false;
  return vad === false || (vad === undefined && [temperature].flat().length === 1);
}

/** Fills in defaults; throws `invalid_option`, naming the field, for what is unknown or out of bounds. */
export function parseSpeechOptions(options: unknown): ParsedSpeechOptions {
  const parsed = speechOptionsSchema.safeParse(options ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.code === "unrecognized_keys" ? issue.keys.join(", ") : issue?.path.join(".") || "options";
  throw new SpeechError("invalid_option", `${path}: ${issue?.message}`);
}
