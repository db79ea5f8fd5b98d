import { tenantUploads, type UploadRow } from "@scribe/database";
import { isUuid, RequestError } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema, requestSchema } from "../openapi/schemas.ts";
import { type TakenOver, takeOverUpload } from "../take-over-upload.ts";
import { goneSignal } from "../when-closed.ts";
import { notFound } from "./middleware/render-problem.ts";
import { sendJson } from "./send-json.ts";

/** How long an upload waits for a job. */
const UNUSED_MS = 24 * 3_600_000;

export const completeFile = defineRoute({
  method: "post",
  path: "/api/v1/files/complete",
  operationId: "completeFile",
  summary: "Take over a file whose bytes were sent to a presigned address",
  description:
    "From then on nobody can change it, and `upload_id` is a source for jobs; unused, for 24 hours. " +
    "409 while the bytes are not there.",
  tag: "Files",
  scope: "transcribe",
  body: { kind: "json", schema: requestSchema("CompleteFile", z.strictObject({ upload_id: z.string() })) },
  answers: {
    200: {
      description: "The upload",
      schema: answerSchema(
        "Upload",
        z.object({
          upload_id: z.uuid(),
          filename: z.string().nullable(),
          size: z.int(),
          content_type: z.string().nullable(),
          expires_at: z.iso.datetime(),
        }),
      ),
    },
  },
  handle:
    ({ db, storage }) =>
    async ({ response, caller, body }) => {
      const id = body.upload_id.toLowerCase();
      if (!isUuid(id)) throw notFound("upload");
      const uploads = tenantUploads(db, caller.tenantId);
      const waiting = await uploads.getPresigned(id);
      const taken = waiting && (await takeOver(waiting, goneSignal(response)));
      if (waiting && taken) {
        const stored = await uploads.markStored(id, {
          storageKey: taken.key,
          contentType: taken.contentType,
          sha256: taken.sha256,
          expiresAt: new Date(Date.now() + UNUSED_MS),
        });
        // Of two that complete at once, one counts; a retention run finds what is left where this fails.
        await storage.remove(stored ? waiting.storageKey : taken.key).catch(() => false);
      }
      const upload = await uploads.getStored(id);
      if (!upload) throw notFound("upload");
      sendJson(response, 200, {
        upload_id: upload.id,
        filename: upload.filename,
        size: upload.sizeBytes,
        content_type: upload.contentType,
        expires_at: upload.expiresAt.toISOString(),
      });

      /** Null where another request has taken it over by now. */
      async function takeOver(upload: UploadRow, signal: AbortSignal): Promise<TakenOver | null> {
        try {
          return await takeOverUpload(storage, upload, signal);
        } catch (error) {
          if (!(error instanceof RequestError)) throw error;
          if (error.code === "conflict" && (await uploads.getStored(id))) return null;
          if (error.code === "unsupported_media") {
            await uploads.discard(id);
            await storage.remove(upload.storageKey);
          }
          throw error;
        }
      }
    },
});
