import { z } from "zod";
import { httpUrl, safeText } from "./input-text.ts";
import { outputSchema } from "./output-schema.ts";

/** What a language model can be asked to make of a transcript. */
export const ENHANCEMENT_TASKS = [
  "summary",
  "title",
  "action_items",
  "chapters",
  "translate",
  "entities",
  "sentiment",
  "keywords",
  "custom",
] as const;
export type EnhancementTask = (typeof ENHANCEMENT_TASKS)[number];

/** Some 20 hours of speech. */
export const MAX_ENHANCED_TEXT = 1_000_000;

export const enhancementFields = {
  tasks: z
    .array(z.enum(ENHANCEMENT_TASKS))
    .min(1)
    .max(ENHANCEMENT_TASKS.length)
    .refine((tasks) => new Set(tasks).size === tasks.length, "names a task twice"),
  prompt: safeText(8192).min(1).optional().meta({ description: "What `custom` asks" }),
  target_language: z
    .string()
    .regex(/^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i, "must be a language tag such as `de` or `pt-BR`")
    .max(35)
    .optional()
    .meta({ description: "What `translate` translates to" }),
  schema: outputSchema.optional().meta({ description: "JSON Schema of what `custom` gives" }),
} as const;

interface Needs {
  tasks: readonly EnhancementTask[];
  prompt?: string | undefined;
  target_language?: string | undefined;
  schema?: unknown;
}

/** What a task needs is there, and nothing stands there that no task asks for. */
export function checkNeeds(input: Needs, context: z.RefinementCtx): void {
  const check = (field: "prompt" | "target_language" | "schema", task: EnhancementTask, needed: boolean) => {
    const given = input[field] !== undefined;
    const asked = input.tasks.includes(task);
    if (needed && asked && !given)
      context.addIssue({ code: "custom", path: [field], message: `is what \`${task}\` needs` });
    if (given && !asked)
      context.addIssue({ code: "custom", path: [field], message: `is only for the task \`${task}\`` });
  };
  check("prompt", "custom", true);
  check("target_language", "translate", true);
  check("schema", "custom", false);
}

/** `enhance` of a transcription job: begun when that one completes. */
export const enhanceOption = z
  .strictObject({ ...enhancementFields, webhook_url: httpUrl.optional() })
  .superRefine(checkNeeds)
  .meta({ description: "What a language model makes of the transcript, once there is one" });

export interface EnhancementOptions {
  prompt?: string | undefined;
  target_language?: string | undefined;
  schema?: Record<string, unknown> | undefined;
}

export const ENHANCEMENT_EVENTS = ["enhancement.completed", "enhancement.failed"] as const;
export type EnhancementEvent = (typeof ENHANCEMENT_EVENTS)[number];

/** How an enhancement fails, and whether a further attempt may end differently. */
export const ENHANCEMENT_ERRORS = {
  /** The endpoint answered with an error, with half an answer, or not at all. */
  provider_error: true,
  provider_unauthorized: false,
  /** The model's answers did not hold to the schema, several times in a row. */
  invalid_output: false,
  /** Not even one sentence fits into the model's context. */
  context_too_small: false,
  url_not_allowed: false,
  worker_crashed: false,
  internal: true,
} as const;
export type EnhancementErrorCode = keyof typeof ENHANCEMENT_ERRORS;

export interface EnhancementErrorView {
  code: EnhancementErrorCode;
  message: string;
  retryable: boolean;
}

/** An error that ends an attempt of an enhancement; the message is safe to show. */
export class EnhancementError extends Error {
  override readonly name = "EnhancementError";
  readonly code: EnhancementErrorCode;
  readonly retryable: boolean;
  /** How long the endpoint asked to be left alone. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: EnhancementErrorCode,
    message: string,
    details: { retryable?: boolean; retryAfterSeconds?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? ENHANCEMENT_ERRORS[code];
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  view(): EnhancementErrorView {
    return { code: this.code, message: this.message, retryable: this.retryable };
  }
}
