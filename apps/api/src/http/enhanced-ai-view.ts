import type { EnhancementRow } from "@scribe/database";
import { ENHANCEMENT_ERRORS, ENHANCEMENT_TASKS, type EnhancementErrorCode, JOB_STATUSES } from "@scribe/domain";
import { z } from "zod";
import { answerSchema } from "../openapi/schemas.ts";

const time = z.iso.datetime();

export const enhancementSchema = answerSchema(
  "Enhancement",
  z.object({
    job_id: z.uuid(),
    transcription_job_id: z.uuid().nullable(),
    version: z.int().meta({ description: "Counts from 1 within a transcription job" }),
    status: z.enum(JOB_STATUSES),
    progress: z.number().min(0).max(100).meta({ description: "0 to 100, never falling" }),
    tasks: z.array(z.enum(ENHANCEMENT_TASKS)),
    created_at: time,
    started_at: time.nullable(),
    completed_at: time.nullable(),
    updated_at: time,
    attempts: z.int().meta({ description: "Attempts that ended in an error" }),
    metadata: z.record(z.string(), z.unknown()),
    usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }),
    warnings: z.array(z.string()).optional(),
    result: z
      .object({ model: z.string(), outputs: z.record(z.string(), z.unknown()) })
      .optional()
      .meta({ description: "One output a task, by its name" }),
    error: z
      .object({
        code: z.enum(Object.keys(ENHANCEMENT_ERRORS) as [EnhancementErrorCode, ...EnhancementErrorCode[]]),
        message: z.string(),
        retryable: z.boolean(),
      })
      .optional(),
  }),
);

/** An enhancement as callers see it; lists leave the result out. */
export function toEnhancementView(
  row: EnhancementRow,
  { result = true }: { result?: boolean } = {},
): z.output<typeof enhancementSchema> {
  return {
    job_id: row.id,
    transcription_job_id: row.jobId,
    version: row.version,
    status: row.status,
    progress: row.progress,
    tasks: row.tasks,
    created_at: row.createdAt.toISOString(),
    started_at: row.startedAt?.toISOString() ?? null,
    completed_at: row.completedAt?.toISOString() ?? null,
    updated_at: row.updatedAt.toISOString(),
    attempts: row.attempts,
    metadata: row.metadata,
    usage: { prompt_tokens: row.promptTokens, completion_tokens: row.completionTokens },
    ...(row.warnings.length === 0 ? {} : { warnings: row.warnings }),
    ...(result && row.outputs !== null ? { result: { model: row.model ?? "", outputs: row.outputs } } : {}),
    ...(row.error === null ? {} : { error: row.error }),
  };
}
