import { tenantUsage } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { sendJson } from "./send-json.ts";

const DAY_MS = 86_400_000;
const USUAL_DAYS = 30;
const MAX_DAYS = 400;

const counts = {
  completed: z.int(),
  failed: z.int(),
  cancelled: z.int(),
  audio_seconds: z.number().meta({ description: "Transcribed audio; of jobs that did not complete, what was done" }),
} as const;

const usageSchema = answerSchema(
  "Usage",
  z.object({
    from: z.iso.date(),
    to: z.iso.date(),
    data: z.array(z.object({ date: z.iso.date(), model: z.string(), ...counts })),
    total: z.object(counts),
    today: z.object({
      audio_seconds: z.number(),
      live_jobs: z.int().meta({ description: "Jobs that have not ended" }),
      live_audio_seconds: z.number().meta({ description: "Their audio; an estimate until it is decoded" }),
    }),
    limits: z.object({
      daily_audio_seconds: z.number().nullable(),
      queued_audio_seconds: z.number().nullable(),
      reads_per_minute: z.int(),
      creates_per_minute: z.int(),
    }),
  }),
);

export const getUsage = defineRoute({
  method: "get",
  path: "/api/v1/usage",
  operationId: "getUsage",
  summary: "What the own tenant used, by day (UTC) and model, and what it may",
  tag: "Keys",
  scope: "manage",
  query: z.strictObject({
    from: z.iso.date().optional().meta({ description: "First day; a month back where absent" }),
    to: z.iso.date().optional().meta({ description: "Last day; today where absent" }),
  }),
  answers: { 200: { description: "The usage", schema: usageSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller, query }) => {
      const to = query.to ?? dayOf(Date.now());
      const from = query.from ?? dayOf(Date.parse(to) - USUAL_DAYS * DAY_MS);
      const days = (Date.parse(to) - Date.parse(from)) / DAY_MS;
      if (days < 0 || days > MAX_DAYS) {
        const message = `must not be after \`to\`, nor more than ${MAX_DAYS} days before it`;
        throw new RequestError("invalid_request", `\`from\` ${message}.`, { errors: [{ path: "from", message }] });
      }
      const usage = tenantUsage(db, caller.tenantId);
      const [rows, now] = await Promise.all([usage.list({ from, to }), usage.now()]);
      const data = rows.map(({ day, audioSeconds, ...row }) => ({
        ...{ date: day, ...row },
        audio_seconds: round(audioSeconds),
      }));
      const sum = (of: (row: (typeof data)[number]) => number) => data.reduce((total, row) => total + of(row), 0);
      const { allowance, readsPerMinute, createsPerMinute } = caller.limits;
      sendJson(response, 200, {
        ...{ from, to, data },
        total: {
          completed: sum((row) => row.completed),
          failed: sum((row) => row.failed),
          cancelled: sum((row) => row.cancelled),
          audio_seconds: round(sum((row) => row.audio_seconds)),
        },
        today: {
          audio_seconds: round(now.usedTodaySeconds),
          live_jobs: now.liveJobs,
          live_audio_seconds: round(now.liveSeconds),
        },
        limits: {
          daily_audio_seconds: allowance.dailyAudioSeconds ?? null,
          queued_audio_seconds: allowance.queuedAudioSeconds ?? null,
          reads_per_minute: readsPerMinute,
          creates_per_minute: createsPerMinute,
        },
      });
    },
});

function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
