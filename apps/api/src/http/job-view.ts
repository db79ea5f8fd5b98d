import type { EnhancementLink, JobRow, QueuePosition } from "@scribe/database";
import { JOB_ERRORS, JOB_PHASES, JOB_STATUSES, type JobErrorCode, type Transcript } from "@scribe/domain";
import { z } from "zod";
import { answerSchema } from "../openapi/schemas.ts";

const time = z.iso.datetime();
const seconds = z.number();

const wordSchema = z.object({
  word: z.string(),
  start: seconds,
  end: seconds,
  probability: z.number(),
  speaker: z.string().optional(),
});

export const segmentSchema = answerSchema(
  "Segment",
  z.object({
    id: z.int(),
    start: seconds,
    end: seconds,
    text: z.string(),
    speaker: z.string().optional(),
    avg_logprob: z.number(),
    no_speech_prob: z.number(),
    compression_ratio: z.number(),
    temperature: z.number(),
    channel: z.int().optional(),
    language: z.string().optional(),
    words: z.array(wordSchema).optional(),
    original_text: z.string().optional().meta({ description: "As it was heard, where a lexicon changed it" }),
    extra_data: z.record(z.string(), z.unknown()).optional(),
  }),
);

export const transcriptSchema = answerSchema(
  "Transcript",
  z.object({
    text: z.string(),
    language: z.string().nullable(),
    language_probability: z.number().nullable(),
    duration: seconds,
    segments: z.array(segmentSchema),
    words_method: z.string().optional(),
    speakers: z.array(z.string()).optional(),
    diarization: z
      .object({
        method: z.string(),
        num_speakers: z.int(),
        turns: z.array(z.object({ start: seconds, end: seconds, speaker: z.string() })),
      })
      .optional(),
    original_text: z.string().optional(),
    cached: z.boolean().optional(),
  }),
);

export const jobErrorSchema = z.object({
  code: z.enum(Object.keys(JOB_ERRORS) as [JobErrorCode, ...JobErrorCode[]]),
  message: z.string(),
  retryable: z.boolean(),
});

export const jobSchema = answerSchema(
  "Job",
  z.object({
    job_id: z.uuid(),
    recording_id: z.string().nullable(),
    status: z.enum(JOB_STATUSES),
    progress: z.number().min(0).max(100).meta({ description: "0 to 100, never falling" }),
    phase: z.enum(JOB_PHASES),
    queue: z
      .object({ position: z.int(), audio_seconds_ahead: z.number() })
      .optional()
      .meta({ description: "While the job waits: its place, and the seconds of audio before it" }),
    created_at: time,
    started_at: time.nullable(),
    completed_at: time.nullable(),
    updated_at: time,
    attempts: z.int(),
    retry_of: z.uuid().optional(),
    batch_id: z.uuid().optional(),
    engine: z.string(),
    model: z.string(),
    language: z.string().nullable(),
    duration: seconds.nullable(),
    metadata: z.record(z.string(), z.unknown()),
    warnings: z.array(z.string()).optional(),
    result: transcriptSchema.optional(),
    enhancements: z
      .array(z.object({ job_id: z.uuid(), version: z.int(), status: z.enum(JOB_STATUSES), link: z.string() }))
      .optional()
      .meta({ description: "What was made of the transcript, oldest version first" }),
    error: jobErrorSchema.optional(),
  }),
);

export type JobView = z.output<typeof jobSchema>;

function toLink({ id, version, status }: EnhancementLink) {
  return { job_id: id, version, status, link: `/api/v1/enhanced-ai/${id}` };
}

/** A job as callers see it. */
export function toJobView(
  job: JobRow,
  more: { queue?: QueuePosition | null; result?: Transcript | null; enhancements?: readonly EnhancementLink[] } = {},
): JobView {
  return {
    job_id: job.id,
    recording_id: job.recordingId,
    status: job.status,
    progress: job.progress,
    phase: job.phase,
    ...(more.queue ? { queue: more.queue } : {}),
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    completed_at: job.completedAt?.toISOString() ?? null,
    updated_at: job.updatedAt.toISOString(),
    attempts: job.attempts,
    ...(job.retryOf === null ? {} : { retry_of: job.retryOf }),
    ...(job.batchId === null ? {} : { batch_id: job.batchId }),
    engine: job.engine,
    model: job.model,
    language: job.language,
    duration: job.duration,
    metadata: job.metadata,
    ...(job.warnings.length === 0 ? {} : { warnings: job.warnings }),
    ...(more.result ? { result: more.result } : {}),
    ...(more.enhancements?.length ? { enhancements: more.enhancements.map(toLink) } : {}),
    ...(job.error === null ? {} : { error: job.error }),
  };
}
