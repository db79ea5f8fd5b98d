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

/** Fills in defaults; throws `invalid_option`, naming the field, for what is unknown or out of bounds. */
export function parseSpeechOptions(options: unknown): ParsedSpeechOptions {
  const parsed = speechOptionsSchema.safeParse(options ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.code === "unrecognized_keys" ? issue.keys.join(", ") : issue?.path.join(".") || "options";
  throw new SpeechError("invalid_option", `${path}: ${issue?.message}`);
}
