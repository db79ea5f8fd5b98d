import type { BatchAtWork, BatchRow } from "@scribe/database";
import { BATCH_STATUSES } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../api.ts";
import { answerSchema } from "../openapi/schemas.ts";

const time = z.iso.datetime();
const count = z.int().min(0);

const refusedLine = z.object({
  line: z.int(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })),
});

export const batchSchema = answerSchema(
  "Batch",
  z.object({
    batch_id: z.uuid(),
    status: z.enum(BATCH_STATUSES).meta({ description: "`completed`: all its jobs have ended, however they did" }),
    created_at: time,
    updated_at: time,
    completed_at: time.nullable(),
    cancelled_at: time.nullable(),
    progress: z.number().min(0).max(100),
    total: count.meta({ description: "Jobs of it" }),
    counts: z.object({ pending: count, processing: count, completed: count, failed: count, cancelled: count }),
    refused: z.object({
      count,
      lines: z.array(refusedLine).meta({ description: "The first 100; all are among the results" }),
    }),
    metadata: z.record(z.string(), z.unknown()),
    links: z.object({ self: z.string(), results: z.string(), jobs: z.string() }),
  }),
);

export type BatchView = z.output<typeof batchSchema>;

const SHOWN_LINES = 100;

/** A batch as callers see it. Links are absolute where the operator said how clients reach us. */
export function toBatchView({ config }: Api, batch: BatchRow, atWork?: BatchAtWork): BatchView {
  const base = `${(config.http.PUBLIC_URL ?? "").replace(/\/$/, "")}/api/v1`;
  const { total, completed, failed, cancelled, refused } = batch;
  const ended = completed + failed + cancelled;
  // Read a moment later than the counts: a job that ended in between is counted once.
  const processing = Math.min(atWork?.processing ?? 0, total - ended);
  const done = ended * 100 + (processing === 0 ? 0 : (atWork?.progress ?? 0));
  return {
    batch_id: batch.id,
    status: batch.endedAt === null ? "processing" : batch.cancelledAt === null ? "completed" : "cancelled",
    created_at: batch.createdAt.toISOString(),
    updated_at: batch.updatedAt.toISOString(),
    completed_at: batch.endedAt?.toISOString() ?? null,
    cancelled_at: batch.cancelledAt?.toISOString() ?? null,
    progress: Math.min(100, Math.floor((done / total) * 10) / 10),
    total,
    counts: { pending: total - ended - processing, processing, completed, failed, cancelled },
    refused: { count: refused.length, lines: refused.slice(0, SHOWN_LINES) },
    metadata: batch.metadata,
    links: {
      self: `${base}/batches/${batch.id}`,
      results: `${base}/batches/${batch.id}/results`,
      jobs: `${base}/jobs?batch_id=${batch.id}`,
    },
  };
}
