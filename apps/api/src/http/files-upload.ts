import { tenantUploads } from "@scribe/database";
import { hasScope, isUuid, RequestError } from "@scribe/domain";
import { StorageError } from "@scribe/storage";
import { z } from "zod";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { receiveBody } from "../receive-body.ts";
import { whenClosed } from "../when-closed.ts";
import { incomingKey } from "./files-presign.ts";
import type { Identity } from "./middleware/limit-requests.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";

/** Of an address that was signed for an upload's bytes. */
export const uploadQuery = z.strictObject({
  tenant: z.string().max(64).optional(),
  expires: z
    .string()
    .regex(/^\d{1,12}$/, "must be a time")
    .optional(),
  signature: z.string().max(128).optional(),
});

export const uploadFile = defineRoute({
  method: "put",
  path: "/api/v1/files/upload/{id}",
  operationId: "uploadFile",
  summary: "Take a file's bytes, once, where storage has no addresses of its own",
  description: "The address comes from `POST /api/v1/files/presign`; it, or a key of the same tenant, opens this.",
  tag: "Files",
  scope: null,
  query: uploadQuery,
  body: { kind: "bytes" },
  answers: { 204: { description: "The bytes are here; `POST /api/v1/files/complete` goes on" } },
  handle:
    (api) =>
    async ({ request, response, params, query }) => {
      const id = idFrom(params, "upload");
      const tenantId = whoseUpload(api, id, query, response.locals.identity as Identity);
      const upload = await tenantUploads(api.db, tenantId).getPresigned(id);
      // Neither one of another protocol, whose bytes come elsewhere.
      if (!upload || upload.storageKey !== incomingKey(tenantId, id) || upload.sizeBytes === 0)
        throw notFound("upload");
      whenClosed(response, api.uploadSlots.take(`upload ${tenantId}`));
      try {
        await receiveBody(request, {
          storage: api.storage,
          key: upload.storageKey,
          bytes: upload.sizeBytes,
          contentType: upload.contentType ?? "application/octet-stream",
          idleMs: api.waits.uploadIdleMs,
          pace: { minBytesPerSecond: api.config.limits.UPLOAD_MIN_BYTES_PER_SECOND, windowMs: api.waits.uploadPaceMs },
        });
      } catch (error) {
        if (!(error instanceof StorageError) || error.code !== "conflict") throw error;
        throw new RequestError("conflict", "The bytes of this upload have come already.", { cause: error });
      }
      api.metrics.uploadedBytes.inc(upload.sizeBytes);
      response.status(204).end();
    },
});

/** The tenant that the address was signed for, or whose key is shown; what is neither may not send. */
export function whoseUpload(
  { links }: Api,
  id: string,
  query: z.output<typeof uploadQuery>,
  { caller, refusal }: Identity,
): string {
  const { tenant: tenantId, expires: until, signature } = query;
  if (signature === undefined) {
    if (caller === null) throw refusal;
    if (!hasScope(caller.scopes, "transcribe")) {
      throw new RequestError("forbidden", "The key lacks the scope `transcribe`.");
    }
    return caller.tenantId;
  }
  const expires = Number(until);
  if (!tenantId || !isUuid(tenantId) || !links.verify({ tenantId, jobId: id, format: "upload", expires }, signature)) {
    throw new RequestError("forbidden", "This address is not one of ours.");
  }
  if (expires * 1000 <= Date.now()) throw new RequestError("forbidden", "This address has expired.");
  return tenantId;
}
