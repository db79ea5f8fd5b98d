import { type NewJob, tenantJobs, tenantUploads } from "@scribe/database";
import { isUuid } from "@scribe/domain";
import type { Api } from "../api.ts";
import { audioSecondsOfUpload, type EstimateAudioSeconds } from "./audio-seconds.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { notFound } from "./middleware/render-problem.ts";

/**
 * Where a job's audio comes from, and about how long it is.
 *
 * @throws RequestError `not_found` where the upload is not there, or not the tenant's
 */
export async function openSource(
  { db }: Api,
  { tenantId }: Caller,
  { url, upload_id: uploadId }: { url?: string | undefined; upload_id?: string | undefined },
  estimate: EstimateAudioSeconds,
): Promise<Pick<NewJob, "source" | "audioSeconds" | "audioKey" | "audioBytes" | "audioSha256">> {
  if (url !== undefined) {
    const audioSeconds = await estimate(tenantId, tenantJobs(db, tenantId));
    return { source: { kind: "url", url }, audioSeconds };
  }
  const upload =
    uploadId !== undefined && isUuid(uploadId) ? await tenantUploads(db, tenantId).getStored(uploadId) : null;
  if (!upload) throw notFound("upload");
  return {
    source: { kind: "upload", uploadId: upload.id },
    audioSeconds: audioSecondsOfUpload(upload.sizeBytes),
    audioKey: upload.storageKey,
    audioBytes: upload.sizeBytes,
    ...(upload.sha256 === null ? {} : { audioSha256: upload.sha256 }),
  };
}
