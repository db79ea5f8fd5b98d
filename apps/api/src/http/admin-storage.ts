import { audit, runRetention } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../api.ts";
import { type Call, defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { goneSignal } from "../when-closed.ts";
import { sendJson } from "./send-json.ts";

type Handler = (call: Call<unknown, unknown>) => Promise<void>;

export const cleanupSchema = answerSchema(
  "CleanupReport",
  z.object({
    scanned: z.int().meta({ description: "Rows and objects that were looked at" }),
    deleted: z.int(),
    failed: z.int(),
    errors: z.array(z.string()),
  }),
);

export const storageSchema = answerSchema(
  "StorageStats",
  z.object({
    backend: z.enum(["local", "s3", "gcs"]),
    objects: z.int(),
    bytes: z.int(),
    disk_free_bytes: z.int().optional(),
    disk_total_bytes: z.int().optional(),
  }),
);

export const runCleanup = defineRoute({
  method: "post",
  path: "/api/v1/admin/cleanup",
  operationId: "runCleanup",
  summary: "Erase what is too old, now",
  description: "What the maintenance workers do every CLEANUP_INTERVAL_MINUTES. 409 while one of them is at it.",
  tag: "Administration",
  scope: "admin",
  answers: { 200: { description: "What it came to", schema: cleanupSchema } },
  handle: cleanUp,
});

/** Of the front doors that have this, too. */
export function cleanUp({ db, storage, config }: Api): Handler {
  return async ({ request, response, caller }) => {
    const { AUDIO_RETENTION_HOURS: audioHours, JOB_RETENTION_HOURS: jobHours } = config.jobs;
    const report = await runRetention({
      db,
      objects: storage,
      policy: { audioHours, jobHours },
      actor: caller.publicId,
      signal: goneSignal(response),
    });
    if (report === "busy") {
      throw new RequestError("conflict", "A cleanup is under way.", { retryAfterSeconds: 30 });
    }
    await audit(db, { actor: caller.publicId, action: "cleanup.requested", address: request.ip });
    sendJson(response, 200, report);
  };
}

export const getStorageStats = defineRoute({
  method: "get",
  path: "/api/v1/admin/storage/stats",
  operationId: "getStorageStats",
  summary: "What storage holds",
  tag: "Administration",
  scope: "admin",
  answers: { 200: { description: "Objects and bytes, and the disk's where it is one", schema: storageSchema } },
  handle: showStorage,
});

/** Of the front doors that have this, too. */
export function showStorage({ storage }: Api): Handler {
  return async ({ response }) => {
    const { backend, objects, bytes, diskFreeBytes, diskTotalBytes } = await storage.usage({
      signal: goneSignal(response),
    });
    sendJson(response, 200, {
      backend,
      objects,
      bytes,
      ...(diskFreeBytes === undefined ? {} : { disk_free_bytes: diskFreeBytes }),
      ...(diskTotalBytes === undefined ? {} : { disk_total_bytes: diskTotalBytes }),
    });
  };
}
