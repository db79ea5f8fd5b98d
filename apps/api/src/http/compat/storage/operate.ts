import { defineRoute } from "../../../openapi/route.ts";
import { cleanUp, cleanupSchema, showStorage, storageSchema } from "../../admin-storage.ts";
import { TAG } from "./jobs.ts";

export const storageStats = defineRoute({
  method: "get",
  path: "/compat/storage/{key}/storage/stats",
  operationId: "storageServiceStats",
  summary: "What storage holds",
  tag: TAG,
  scope: "admin",
  query: "anything",
  answers: { 200: { description: "Objects and bytes, and the disk's where it is one", schema: storageSchema } },
  handle: showStorage,
});

export const storageCleanup = defineRoute({
  method: "post",
  path: "/compat/storage/{key}/admin/cleanup",
  operationId: "storageServiceCleanup",
  summary: "Erase what is too old, now",
  tag: TAG,
  scope: "admin",
  query: "anything",
  answers: { 200: { description: "What it came to", schema: cleanupSchema } },
  handle: cleanUp,
});
