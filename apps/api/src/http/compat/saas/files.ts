import { tenantUploads, type UploadRow } from "@scribe/database";
import { isUuid, RequestError, safeText, uuidV7 } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../../../openapi/route.ts";
import { answerSchema } from "../../../openapi/schemas.ts";
import { ADDRESS_SECONDS, incomingKey, MEDIA_TYPE, signUpload, UPLOAD_MS } from "../../files-presign.ts";
import { uploadQuery, whoseUpload } from "../../files-upload.ts";
import type { Identity } from "../../middleware/limit-requests.ts";
import { notFound } from "../../middleware/render-problem.ts";
import { receiveBytes } from "../../receive-audio.ts";
import { sendJson } from "../../send-json.ts";
import { TAG } from "./auth.ts";
import { readStorageKey, storageKeyField } from "./storage-key.ts";

/** This service asks for an address before it knows how much it will send. */
const UNKNOWN_SIZE = 0;

const UPLOAD_PATH = "/compat/saas/files/upload";

const presignedSchema = answerSchema(
  "SaasPresignedFile",
  z.object({
    storage_key: z.string(),
    key: z.string(),
    upload_url: z.string(),
    method: z.literal("PUT"),
    expires_in: z.int(),
  }),
);
const fileSchema = answerSchema(
  "SaasFile",
  z.object({
    storage_key: z.string(),
    key: z.string(),
    status: z.literal("uploaded"),
    filename: z.string().nullable(),
    size: z.int(),
    content_type: z.string().nullable(),
  }),
);

export const saasPresign = defineRoute({
  method: "post",
  path: "/compat/saas/files/presign",
  operationId: "saasPresign",
  summary: "An address to send a file's bytes to, as the SaaS backend gives it",
  description: "The address takes the bytes once, of any size that is allowed, and needs no key for 15 minutes.",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  body: {
    kind: "json",
    schema: z.looseObject({
      filename: safeText(255).min(1),
      content_type: z.string().regex(MEDIA_TYPE, "must be a media type such as audio/mpeg").nullish(),
    }),
  },
  answers: { 200: { description: "Where the bytes go", schema: presignedSchema } },
  handle:
    (api) =>
    async ({ request, response, caller, body }) => {
      const { tenantId } = caller;
      const id = uuidV7();
      await tenantUploads(api.db, tenantId).create({
        ...{ id, filename: body.filename, contentType: body.content_type ?? undefined },
        ...{ state: "presigned", sizeBytes: UNKNOWN_SIZE, storageKey: incomingKey(tenantId, id) },
        expiresAt: new Date(Date.now() + UPLOAD_MS),
        mostOpen: api.config.limits.MAX_OPEN_UPLOADS,
      });
      const { url } = signUpload(api, request, { tenantId, id, path: UPLOAD_PATH });
      sendJson(response, 200, {
        ...{ storage_key: id, key: id },
        ...{ upload_url: url, method: "PUT", expires_in: ADDRESS_SECONDS },
      });
    },
});

export const saasUpload = defineRoute({
  method: "put",
  path: `${UPLOAD_PATH}/{key}`,
  operationId: "saasUpload",
  summary: "Take a file's bytes, once",
  description: "The address of `POST /compat/saas/files/presign`, or a token or key of the same tenant, opens this.",
  tag: TAG,
  scope: null,
  query: uploadQuery,
  body: { kind: "bytes" },
  answers: { 200: { description: "The bytes are here", schema: fileSchema } },
  handle:
    (api) =>
    async ({ request, response, params, query }) => {
      const id = keyFrom(params.key);
      const identity = response.locals.identity as Identity;
      const tenantId = whoseUpload(api, id, query, identity);
      const uploads = tenantUploads(api.db, tenantId);
      const waiting = await uploads.getPresigned(id);
      // Of one whose size is known already another protocol sends the bytes.
      if (waiting && waiting.sizeBytes !== UNKNOWN_SIZE) throw notFound("file");
      if (waiting === null) throw (await uploads.getStored(id)) ? alreadyHere() : notFound("file");
      // Of two that send at once one counts: each has a place of its own until then.
      const { key, bytes, sha256, media } = await receiveBytes(api, { tenantId, keyId: `upload ${tenantId}` }, request);
      const stored = await uploads.markStored(id, {
        ...{ storageKey: key, sizeBytes: bytes, sha256, contentType: media.contentType },
        expiresAt: new Date(Date.now() + UPLOAD_MS),
      });
      if (!stored) {
        await api.storage.remove(key);
        throw alreadyHere();
      }
      api.metrics.uploadedBytes.inc(bytes);
      sendJson(response, 200, toView({ ...waiting, sizeBytes: bytes, contentType: media.contentType }));
    },
});

export const saasComplete = defineRoute({
  method: "post",
  path: "/compat/saas/files/complete",
  operationId: "saasComplete",
  summary: "Make sure of a file that was sent",
  description: "409 while its bytes are not there.",
  tag: TAG,
  scope: "transcribe",
  query: "anything",
  body: { kind: "json", schema: z.looseObject(storageKeyField) },
  answers: { 200: { description: "The file", schema: fileSchema } },
  handle:
    ({ db }) =>
    async ({ response, caller, body }) => {
      const id = keyFrom(readStorageKey(body));
      const uploads = tenantUploads(db, caller.tenantId);
      const upload = await uploads.getStored(id);
      if (upload !== null) return sendJson(response, 200, toView(upload));
      if (await uploads.getPresigned(id)) throw new RequestError("conflict", "The file's bytes have not come yet.");
      throw notFound("file");
    },
});

function keyFrom(key: string | undefined): string {
  if (key === undefined || !isUuid(key)) throw notFound("file");
  return key.toLowerCase();
}

function alreadyHere(): RequestError {
  return new RequestError("conflict", "The bytes of this file have come already.");
}

function toView({ id, filename, sizeBytes, contentType }: UploadRow): z.output<typeof fileSchema> {
  return {
    ...{ storage_key: id, key: id, status: "uploaded", filename },
    ...{ size: sizeBytes, content_type: contentType },
  };
}
