import { setTimeout as sleep } from "node:timers/promises";
import { type EnhancementRow, tenantEnhancements } from "@scribe/database";
import { isTerminal } from "@scribe/domain";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { openSseWriter } from "../streams/sse-writer.ts";
import { whenClosed } from "../when-closed.ts";
import { toEnhancementView } from "./enhanced-ai-view.ts";
import { keyHolds } from "./key-holds.ts";
import { mayStream } from "./may-stream.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";

/** A language model takes seconds for a question; nobody misses a step. */
const LOOK_EVERY_MS = 500;

export const watchEnhancement = defineRoute({
  method: "get",
  path: "/api/v1/enhanced-ai/{id}/events",
  operationId: "watchEnhancement",
  summary: "An enhancement's progress as it comes, as Server-Sent Events",
  description:
    "`progress` whenever status or progress have changed, then `done` with the whole enhancement; the stream ends after it. A late subscriber begins with what is.",
  tag: "Enhancement",
  scope: "read",
  answers: { 200: { description: "The events", content: { "text/event-stream": null } } },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const id = idFrom(params, "enhancement");
      const first = await read(api, caller, id);
      if (!mayStream(api, request, response)) return;
      whenClosed(response, api.waiting.take(caller.keyId));
      response.locals.streamed = true;
      const gone = new AbortController();
      whenClosed(response, () => gone.abort());
      const writer = openSseWriter(response, gone.signal, api.waits.slowReaderMs);
      const end = () => {
        gone.abort();
        writer.end("retry: 2000\n\n");
      };
      const pulse = setInterval(async () => {
        await writer.comment().catch(() => gone.abort());
        // Where the database is away, the next pulse asks again.
        if (!(await keyHolds(api, caller).catch(() => true))) end();
      }, api.waits.streamCommentMs);
      try {
        let shown = "";
        for (let row = first; ; row = await read(api, caller, id)) {
          if (isTerminal(row.status)) break;
          const { status, progress } = row;
          const now = JSON.stringify({ status, progress });
          if (now !== shown) await writer.event("progress", { job_id: id, status, progress });
          shown = now;
          if (api.lifecycle.draining) return writer.end("retry: 2000\n\n");
          await sleep(LOOK_EVERY_MS, undefined, { signal: gone.signal });
        }
        await writer.event("done", toEnhancementView(await read(api, caller, id)));
        writer.end();
      } catch (error) {
        writer.end("retry: 2000\n\n");
        if (!gone.signal.aborted) api.log.info({ err: error, enhancement: id }, "an enhancement's stream ended early");
      } finally {
        clearInterval(pulse);
      }
    },
});

/** @throws RequestError `not_found`, also of one that was erased meanwhile */
async function read({ db }: Api, { tenantId }: Caller, id: string): Promise<EnhancementRow> {
  const row = await tenantEnhancements(db, tenantId).get(id);
  if (!row) throw notFound("enhancement");
  return row;
}
