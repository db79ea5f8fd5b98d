import { type JobRow, tenantJobs } from "@scribe/database";
import { isUuid, type Transcript } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { notFound } from "../../middleware/render-problem.ts";

export const TAG = "RunPod";

export const runpodJobSchema = answerSchema(
  "RunpodJob",
  z.looseObject({
    id: z.string(),
    status: z.enum(["IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"]),
    delayTime: z.number(),
    executionTime: z.number().optional(),
    output: z.array(z.unknown()).optional(),
    error: z.string().optional(),
  }),
);

/** @throws RequestError `not_found`, in the same words for what is no id and for what is somebody else's */
export async function findRunpodJob({ db }: Api, { tenantId }: Caller, id: string | undefined): Promise<JobRow> {
  const job = id !== undefined && isUuid(id) ? await tenantJobs(db, tenantId).get(id.toLowerCase()) : null;
  if (!job) throw notFound("job");
  return job;
}

export async function readResult({ db }: Api, { tenantId }: Caller, job: JobRow): Promise<Transcript | null> {
  return job.status === "completed" ? await tenantJobs(db, tenantId).transcript(job.id) : null;
}

const WAIT_MS = { least: 1_000, most: 300_000, usual: 90_000 };

/** `?wait=` in milliseconds, within RunPod's own bounds. */
export function readWait(request: Request): number {
  const text = new URLSearchParams(request.url.split("?", 2)[1] ?? "").get("wait");
  if (text === null || !/^\d{1,9}$/.test(text)) return WAIT_MS.usual;
  return Math.min(WAIT_MS.most, Math.max(WAIT_MS.least, Number(text)));
}
