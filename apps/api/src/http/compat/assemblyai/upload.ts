import { TooManyOpen, tenantUploads } from "@scribe/database";
import type { Request } from "express";
import { z } from "zod";
import type { Api } from "../../../api.ts";
import { defineRoute } from "../../../openapi/route.ts";
import { receiveBytes } from "../../receive-audio.ts";
import { sendJson } from "../../send-json.ts";

const UPLOAD_PATH = "/assemblyai/v2/upload";
/** As `upload_id`s of ours: for a day unused. */
const KEEP_MS = 24 * 3600 * 1000;

export const assemblyaiUpload = defineRoute({
  method: "post",
  path: UPLOAD_PATH,
  operationId: "assemblyaiUpload",
  summary: "Send audio as to AssemblyAI",
  description:
    "The body is the audio. The `upload_url` is no address to fetch: it stands for the upload, for its tenant alone.",
  tag: "AssemblyAI",
  scope: "transcribe",
  query: "anything",
  body: { kind: "bytes" },
  answers: { 200: { description: "What to give as `audio_url`", schema: z.object({ upload_url: z.string() }) } },
  handle:
    (api) =>
    async ({ request, response, caller }) => {
      const { key, bytes, sha256, media } = await receiveBytes(api, caller, request);
      const upload = {
        ...{ state: "stored" as const, sizeBytes: bytes, storageKey: key, sha256, contentType: media.contentType },
        expiresAt: new Date(Date.now() + KEEP_MS),
        mostOpen: api.config.limits.MAX_OPEN_UPLOADS,
      };
      const { id } = await tenantUploads(api.db, caller.tenantId)
        .create(upload)
        .catch(async (error: unknown) => {
          if (error instanceof TooManyOpen) await api.storage.remove(key);
          throw error;
        });
      api.metrics.uploadedBytes.inc(bytes);
      sendJson(response, 200, { upload_url: `${origin(api, request)}${UPLOAD_PATH}/${id}` });
    },
});

/** The upload that an address of ours stands for, or null where it is somebody else's address. */
export function uploadOf(url: string): string | null {
  return /\/assemblyai\/v2\/upload\/([0-9a-f-]{36})$/.exec(new URL(url).pathname)?.[1] ?? null;
}

/** Where the caller reaches us. */
function origin({ config }: Api, request: Request): string {
  return config.http.PUBLIC_URL?.replace(/\/$/, "") ?? `${request.protocol}://${request.get("host") ?? "localhost"}`;
}
