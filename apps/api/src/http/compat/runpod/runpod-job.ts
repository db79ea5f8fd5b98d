import type { Request } from "express";
import { z } from "zod";
import { answerSchema } from "../../../openapi/schemas.ts";

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

const WAIT_MS = { least: 1_000, most: 300_000, usual: 90_000 };

/** `?wait=` in milliseconds, within RunPod's own bounds. */
export function readWait(request: Request): number {
  const text = new URLSearchParams(request.url.split("?", 2)[1] ?? "").get("wait");
  if (text === null || !/^\d{1,9}$/.test(text)) return WAIT_MS.usual;
  return Math.min(WAIT_MS.most, Math.max(WAIT_MS.least, Number(text)));
}
