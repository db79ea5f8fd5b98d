import { tenantUploads } from "@scribe/database";
import { RequestError, safeText, uuidV7 } from "@scribe/domain";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../api.ts";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";
import { sendJson } from "./send-json.ts";

/** How long the address may be used to begin with the bytes. */
export const ADDRESS_SECONDS = 900;
/** Bytes that began to come in time may take hours, and must then still be completed. */
export const UPLOAD_MS = 24 * 3_600_000;
export const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}$/i;

export const presignFile = defineRoute({
  method: "post",
  path: "/api/v1/files/presign",
  operationId: "presignFile",
  summary: "An address to send a file's bytes to, past this API where the storage allows",
  description:
    "Send exactly `size` bytes with `method` and `headers` to `url` within 15 minutes, then call " +
    "`POST /api/v1/files/complete`. The address needs no key.",
  tag: "Files",
  scope: "transcribe",
  body: {
    kind: "json",
    schema: requestSchema(
      "PresignFile",
      z.strictObject({
        filename: safeText(255).min(1),
        size: z.int().min(1).meta({ description: "In bytes, exactly" }),
        content_type: z.string().regex(MEDIA_TYPE, "must be a media type such as audio/mpeg").optional(),
      }),
    ),
  },
  answers: {
    200: {
      description: "Where the bytes go",
      schema: answerSchema(
        "PresignedFile",
        z.object({
          upload_id: z.uuid(),
          method: z.literal("PUT"),
          url: z.string(),
          headers: z.record(z.string(), z.string()).meta({ description: "Must be sent as they are" }),
          expires_at: z.iso.datetime(),
        }),
      ),
    },
  },
  handle:
    (api) =>
    async ({ request, response, caller, body }) => {
      // What was signed once is not signed again for longer, so there is nothing to replay.
      refuseIdempotencyKey(request);
      const { size, filename, content_type: contentType = "application/octet-stream" } = body;
      const { MAX_UPLOAD_BYTES } = api.config.http;
      if (size > MAX_UPLOAD_BYTES) {
        throw new RequestError("payload_too_large", `The file is larger than ${MAX_UPLOAD_BYTES} bytes.`);
      }
      const { maxSignedBytes } = api.storage;
      if (size > maxSignedBytes) {
        throw new RequestError(
          "payload_too_large",
          `The storage takes at most ${maxSignedBytes} bytes in one PUT. Send the file in parts, by the tus protocol ` +
            "(/api/v1/files/tus), or as a form (POST /api/v1/transcribe/upload).",
        );
      }
      const { tenantId } = caller;
      const id = uuidV7();
      const storageKey = incomingKey(tenantId, id);
      const how = { bytes: size, contentType, expiresInSeconds: ADDRESS_SECONDS };
      const address =
        (await api.storage.presignPut(storageKey, how)) ??
        ownAddress(api, request, { tenantId, id, size, contentType });
      await tenantUploads(api.db, tenantId).create({
        ...{ id, filename, contentType, storageKey },
        state: "presigned",
        sizeBytes: size,
        mostOpen: api.config.limits.MAX_OPEN_UPLOADS,
        expiresAt: new Date(Date.now() + UPLOAD_MS),
      });
      sendJson(response, 200, {
        upload_id: id,
        method: address.method,
        url: address.url,
        headers: address.headers,
        expires_at: address.expiresAt.toISOString(),
      });
    },
});

/** Where the bytes of an address lie until they are taken over. */
export function incomingKey(tenantId: string, id: string): string {
  return `uploads/${tenantId}/${id}/incoming`;
}

/** Storage without addresses of its own is reached through this API. */
function ownAddress(
  { links, config }: Api,
  request: Request,
  upload: { tenantId: string; id: string; size: number; contentType: string },
) {
  const { url, expires } = signUpload({ links, config }, request, { ...upload, path: "/api/v1/files/upload" });
  return {
    method: "PUT" as const,
    url,
    headers: { "content-type": upload.contentType, "content-length": String(upload.size) },
    expiresAt: new Date(expires * 1000),
  };
}

/** A whole address that takes an upload's bytes without a key, for a while; `expires` in Unix seconds. */
export function signUpload(
  { links, config }: Pick<Api, "links" | "config">,
  request: Request,
  { tenantId, id, path }: { tenantId: string; id: string; path: string },
): { url: string; expires: number } {
  const expires = Math.floor(Date.now() / 1000) + ADDRESS_SECONDS;
  const signature = links.sign({ tenantId, jobId: id, format: "upload", expires });
  const query = new URLSearchParams({ tenant: tenantId, expires: String(expires), signature });
  // Whoever sends the bytes may know nothing but this address, so it must be a whole one.
  const base = config.http.PUBLIC_URL ?? `${request.protocol}://${request.get("host")}`;
  return { url: `${base.replace(/\/$/, "")}${path}/${id}?${query}`, expires };
}
