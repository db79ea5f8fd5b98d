import { audit, type BatchRow, tenantBatches } from "@scribe/database";
import { batchBody } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../api.ts";
import { takeLargeBodyPlace } from "../limits/large-body-place.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { batchSchema, toBatchView } from "./batch-view.ts";
import { creating, fingerprint, readIdempotencyKey } from "./idempotency.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";
import { pageQuery, readPage, toPage } from "./page-after.ts";
import { prepareBatch } from "./prepare-batch.ts";
import { readManifest } from "./read-manifest.ts";
import { sendJson } from "./send-json.ts";

const PATH = "/api/v1/batches";

/** A manifest is larger than other bodies, and may take longer to come. */
const BODY_WAITS = 4;

/** Objects that are removed at once. */
const REMOVED_AT_ONCE = 16;

export const postBatch = defineRoute({
  method: "post",
  path: PATH,
  operationId: "createBatch",
  summary: "Transcribe many sources",
  description:
    'Up to 10,000 sources as `items`, or a line of JSON each (`application/x-ndjson`; its first line may be `{"batch": {…}}` with ' +
    "what stands beside `items`). All of it is committed when this answers. A bad line is named by its number, and nothing starts, " +
    "unless `partial` is `true`.",
  tag: "Batches",
  scope: "transcribe",
  headers: { "Idempotency-Key": "The same key and input within 24 hours get the first answer again" },
  body: { kind: "manifest", schema: requestSchema("BatchRequest", batchBody) },
  answers: {
    202: {
      description: "The batch is accepted",
      schema: batchSchema,
      headers: { Location: "Where the batch is", "Idempotency-Replayed": "`true` where this is an earlier answer" },
    },
  },
  handle: (api) => {
    const limits = { maxBytes: api.config.limits.MAX_BATCH_BYTES, waitMs: BODY_WAITS * api.waits.bodyMs };
    const respond = (batch: BatchRow) => {
      const body = toBatchView(api, batch);
      return { status: 202, body, headers: { Location: body.links.self } };
    };
    return async ({ request, response, caller }) => {
      const key = readIdempotencyKey(request);
      // A manifest may take a hundred megabytes while it is checked.
      const leave = takeLargeBodyPlace(api, caller, request);
      try {
        const manifest = await readManifest(request, limits);
        await creating<BatchRow>(api, caller, { route: PATH, key, respond }, response, (commit) =>
          commit(
            () => fingerprint(manifest),
            async (idempotency) => {
              const prepared = await prepareBatch(api, caller, request, manifest);
              const batch = await tenantBatches(api.db, caller.tenantId).create(prepared, idempotency);
              api.metrics.jobsAccepted.inc({ source: "batch" }, batch.total);
              api.dispatcher.poke("transcription");
              return batch;
            },
          ),
        );
      } finally {
        leave();
      }
    };
  },
});

export const listBatches = defineRoute({
  method: "get",
  path: PATH,
  operationId: "listBatches",
  summary: "Batches, newest first",
  tag: "Batches",
  scope: "read",
  query: z.strictObject(pageQuery),
  answers: {
    200: {
      description: "A page of batches",
      schema: answerSchema("BatchList", z.object({ data: z.array(batchSchema), next_cursor: z.string().nullable() })),
    },
  },
  handle:
    (api) =>
    async ({ response, caller, query }) => {
      const { limit, cursor } = readPage(query);
      const batches = tenantBatches(api.db, caller.tenantId);
      if (cursor !== undefined && !(await batches.get(cursor))) throw notFound("cursor");
      const rows = await batches.list({ limit: limit + 1, before: cursor });
      const atWork = await batches.atWork(rows.map(({ id }) => id));
      sendJson(
        response,
        200,
        toPage(rows, limit, (batch) => toBatchView(api, batch, atWork.get(batch.id))),
      );
    },
});

export const getBatch = defineRoute({
  method: "get",
  path: "/api/v1/batches/{id}",
  operationId: "getBatch",
  summary: "How a batch goes",
  tag: "Batches",
  scope: "read",
  query: z.strictObject({}),
  answers: { 200: { description: "The batch", schema: batchSchema } },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      const batches = tenantBatches(api.db, caller.tenantId);
      const batch = await batches.get(idFrom(params, "batch"));
      if (!batch) throw notFound("batch");
      sendJson(response, 200, toBatchView(api, batch, (await batches.atWork([batch.id])).get(batch.id)));
    },
});

export const cancelBatch = defineRoute({
  method: "post",
  path: "/api/v1/batches/{id}/cancel",
  operationId: "cancelBatch",
  summary: "Stop all jobs of a batch that have not ended",
  description: "Never erases. All its jobs are terminal when this answers.",
  tag: "Batches",
  scope: "transcribe",
  answers: {
    200: { description: "The batch had ended before, and is as it was", schema: batchSchema },
    202: { description: "The batch is stopped", schema: batchSchema },
  },
  handle:
    (api) =>
    async ({ response, caller, params }) => {
      const { outcome, batch } = await cancel(api, caller, idFrom(params, "batch"));
      sendJson(response, outcome === "cancelled" ? 202 : 200, toBatchView(api, batch));
    },
});

export const deleteBatch = defineRoute({
  method: "delete",
  path: "/api/v1/batches/{id}",
  operationId: "deleteBatch",
  summary: "Stop a live batch, or erase a finished one with its jobs",
  description: "Erasing takes everything that came of the jobs: audio, transcripts, events, deliveries.",
  tag: "Batches",
  scope: "transcribe",
  answers: {
    202: { description: "The batch was live, and is stopped", schema: batchSchema },
    204: { description: "The batch is erased" },
  },
  handle:
    (api) =>
    async ({ request, response, caller, params }) => {
      const id = idFrom(params, "batch");
      const batches = tenantBatches(api.db, caller.tenantId);
      const erase = () => batches.erase(id, (keys) => removeAll(api, keys));
      let erased = await erase();
      if (erased === "live") {
        const { outcome, batch } = await cancel(api, caller, id);
        if (outcome === "cancelled") return sendJson(response, 202, toBatchView(api, batch));
        // It ended between the two: now it can be erased.
        erased = await erase();
      }
      if (erased !== "erased") throw notFound("batch");
      await audit(api.db, {
        tenantId: caller.tenantId,
        actor: caller.publicId,
        action: "batch.erased",
        target: id,
        address: request.ip,
      });
      response.status(204).end();
    },
});

async function cancel({ db, notifications, dispatcher, log }: Api, { tenantId }: Caller, id: string) {
  const result = await tenantBatches(db, tenantId).cancel(id);
  if (!result) throw notFound("batch");
  if (result.outcome === "cancelled") {
    dispatcher.poke("webhooks");
    dispatcher.poke("transcription");
    for (const job of result.running) {
      // They have ended already; that their workers are told at once only frees slots sooner than the next write would.
      await notifications.publishCancel(job).catch((error) => log.warn({ err: error, job }, "no worker was told"));
    }
  }
  return result;
}

async function removeAll({ storage }: Api, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += REMOVED_AT_ONCE) {
    await Promise.all(keys.slice(from, from + REMOVED_AT_ONCE).map((key) => storage.remove(key)));
  }
}
