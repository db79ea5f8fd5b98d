import { z } from "zod";
import type { Api } from "../api.ts";
import { noteProbe } from "../lifecycle.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { sendJson } from "./send-json.ts";

const PROBE_TIMEOUT_MS = 2_000;

const healthSchema = answerSchema(
  "Health",
  z.object({
    status: z.literal("healthy"),
    version: z.string(),
    uptime: z.number().meta({ description: "Seconds" }),
    queue_size: z.int().nullable().meta({ description: "Jobs that wait, as of at most ten seconds ago" }),
  }),
);

const readySchema = answerSchema(
  "Readiness",
  z.object({
    status: z.enum(["ready", "degraded", "unavailable", "draining"]),
    checks: z.object({ postgres: z.boolean(), queue: z.boolean() }),
  }),
);

export const health = defineRoute({
  method: "get",
  path: "/health",
  operationId: "health",
  summary: "Whether the process lives",
  description: "Asks no dependency.",
  tag: "Operation",
  scope: null,
  query: "anything",
  answers: { 200: { description: "It does", schema: healthSchema } },
  handle:
    ({ version, lifecycle, queueSize }) =>
    ({ response }) => {
      const uptime = Math.round((Date.now() - lifecycle.startedAtMs) / 1000);
      sendJson(response, 200, { status: "healthy", version, uptime, queue_size: queueSize() });
    },
});

export const ready = defineRoute({
  method: "get",
  path: "/ready",
  operationId: "ready",
  summary: "Whether requests should come here",
  description: "503 without Postgres and while the process ends; without the queue's server 200, `degraded`.",
  tag: "Operation",
  scope: null,
  query: "anything",
  answers: {
    200: { description: "They should", schema: readySchema },
    503: { description: "They should not", schema: readySchema },
  },
  handle:
    (api) =>
    async ({ response }) => {
      const { lifecycle } = api;
      noteProbe(lifecycle);
      const checks = { postgres: await inTime(askPostgres(api)), queue: await inTime(api.queues.ping()) };
      const status = lifecycle.draining
        ? "draining"
        : !checks.postgres
          ? "unavailable"
          : checks.queue
            ? "ready"
            : "degraded";
      const serves = status === "ready" || status === "degraded";
      sendJson(response, serves ? 200 : 503, { status, checks }, serves ? {} : { "Retry-After": "5" });
    },
});

async function askPostgres({ db }: Api): Promise<boolean> {
  await db.pool.query("SELECT 1");
  return true;
}

async function inTime(probe: Promise<boolean>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), PROBE_TIMEOUT_MS);
  try {
    return await Promise.race([probe, late.promise]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}
