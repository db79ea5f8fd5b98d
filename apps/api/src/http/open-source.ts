import { type NewJob, tenantJobs, tenantUploads } from "@scribe/database";
import { isUuid } from "@scribe/domain";
import type { Api } from "../api.ts";
import { audioSecondsOfUpload } from "./audio-seconds.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { notFound } from "./middleware/render-problem.ts";

/** Exactly one of the two. */
export interface NamedSource {
  url?: string | undefined;
  upload_id?: string | undefined;
}

export interface OpenedSource {
  opened: Pick<NewJob, "source" | "audioSeconds" | "audioKey" | "audioBytes" | "audioSha256">;
  /** As what an upload's content was recognized. */
  contentType: string | null;
}

/**
 * Where a job's audio comes from, and about how long it is.
 *
 * @throws RequestError `not_found` where the upload is not there, or not the tenant's
 */
export async function openSource(
  { db, estimateAudioSeconds }: Api,
  { tenantId }: Caller,
  { url, upload_id: uploadId }: NamedSource,
): Promise<OpenedSource> {
  if (url !== undefined) {
    const audioSeconds = await estimateAudioSeconds(tenantId, tenantJobs(db, tenantId));
    return { opened: { source: { kind: "url", url }, audioSeconds }, contentType: null };
  }
  const upload =
    uploadId !== undefined && isUuid(uploadId) ? await tenantUploads(db, tenantId).getStored(uploadId) : null;
  if (!upload) throw notFound("upload");
  return {
    opened: {
      source: { kind: "upload", uploadId: upload.id },
      audioSeconds: audioSecondsOfUpload(upload.sizeBytes),
      audioKey: upload.storageKey,
      audioBytes: upload.sizeBytes,
      ...(upload.sha256 === null ? {} : { audioSha256: upload.sha256 }),
    },
    contentType: upload.contentType,
  };
}
