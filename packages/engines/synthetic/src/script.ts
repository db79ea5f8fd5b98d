import { isJobErrorCode, JobError, type JobErrorCode, safeText } from "@scribe/domain";
import { z } from "zod";

const scriptSchema = z.strictObject({
  /** How many windows; absent: as many as the audio fills. */
  windows: z.int().min(0).max(100_000).optional(),
  window_seconds: z.number().positive().max(3600).default(30),
  /** Pace: how long each window takes. */
  delay_ms: z.number().min(0).max(3_600_000).default(0),
  /** What each window says; `{n}` is its number, from 1. An empty text is silence: no segment. */
  text: safeText(4096).default("This is window {n} of a rehearsal."),
  language: z
    .string()
    .regex(/^[a-z]{2,3}$/)
    .default("en"),
  /** The window, from 0, before which the attempt fails with `error_code`. */
  fail_at: z.int().min(0).optional(),
  error_code: z
    .string()
    .refine((code): code is JobErrorCode => isJobErrorCode(code), "must be an error code of a job")
    .default("internal"),
  /** How often it fails in one process before it goes on; absent: always. */
  fail_times: z.int().min(1).optional(),
  /** The window, from 0, before which the engine "dies" with every job that it holds, each time it gets there. */
  crash_at: z.int().min(0).optional(),
  /** `false`: the job's audio is neither fetched nor decoded. */
  audio: z.boolean().default(true),
});

export type SyntheticScript = z.output<typeof scriptSchema>;

/**
 * The script of a rehearsal: `metadata.synthetic`, an object or its JSON as a string (metadata of callers is flat).
 *
 * @throws JobError `internal`, final, that names what is wrong
 */
export function readScript(metadata: Record<string, unknown>): SyntheticScript {
  const parsed = scriptSchema.safeParse(parseJson(metadata.synthetic ?? {}));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = ["metadata", "synthetic", ...(issue?.path ?? [])].join(".");
  throw new JobError("internal", `${path}: ${issue?.message ?? "is wrong"}`, { retryable: false });
}

/** Length of what the script plays where it wants no audio, in seconds; null where the job's audio is to be had first. */
export function secondsWithoutAudio(metadata: Record<string, unknown>): number | null {
  const script = readScript(metadata);
  return script.audio ? null : (script.windows ?? 1) * script.window_seconds;
}

function parseJson(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
