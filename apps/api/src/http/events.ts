import { tenantJobs } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import type { Request } from "express";
import { defineRoute } from "../openapi/route.ts";
import { keyHolds } from "./key-holds.ts";
import { mayStream } from "./may-stream.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";

export const getEvents = defineRoute({
  method: "get",
  path: "/api/v1/jobs/{id}/events",
  operationId: "watchJob",
  summary: "A job's events as they come, as Server-Sent Events",
  description:
    "`status`, `segment` and `done` carry an id, and `Last-Event-ID` goes on after it without loss or repeat. " +
    "`progress` has none. What has happened already comes first; the stream ends after `done`.",
  tag: "Jobs",
  scope: "read",
  headers: { "Last-Event-ID": "The id of the last event that was received" },
  answers: {
    200: { description: "The events", content: { "text/event-stream": null } },
    204: { description: "`Last-Event-ID` is that of `done`: there is nothing more to come" },
  },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const jobId = idFrom(params, "job");
      const jobs = tenantJobs(api.db, caller.tenantId);
      if (!(await jobs.get(jobId))) throw notFound("job");
      let after = readLastEventId(request);
      if (after > 0) {
        const [last] = await jobs.events(jobId, after - 1, 1);
        // An id that this job never gave: everything again is better than waiting for what may never come.
        if (last?.ordinal !== after) after = 0;
        else if (last.type === "done") {
          response.status(204).end();
          return;
        }
      }
      if (!mayStream(api, request, response)) return;
      await api.streams.serve({
        response,
        tenantId: caller.tenantId,
        keyId: caller.keyId,
        maxPerKey: caller.limits.eventStreams,
        jobId,
        after,
        stillAllowed: () => keyHolds(api, caller),
      });
    },
});

/** Ordinals fit Postgres' integer. */
const MAX_ORDINAL = 2 ** 31 - 1;

function readLastEventId(request: Request): number {
  const text = request.get("last-event-id") ?? "";
  if (text === "") return 0;
  const ordinal = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (ordinal <= MAX_ORDINAL) return ordinal;
  throw new RequestError("invalid_request", "`Last-Event-ID` is not an id of an event.", {
    errors: [{ path: "Last-Event-ID", message: "must be the id of an event of this job" }],
  });
}
