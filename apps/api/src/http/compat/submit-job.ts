import { type JobRow, tenantJobs, tenantUploads } from "@scribe/database";
import { type UploadFields, uploadFields } from "@scribe/domain";
import type { Request } from "express";
import type { Api } from "../../api.ts";
import { STUB_MEDIA } from "../../store-media.ts";
import { audioSecondsOfUpload, createEstimate, type EstimateAudioSeconds } from "../audio-seconds.ts";
import { invalidInput } from "../invalid-input.ts";
import type { Caller } from "../middleware/authenticate.ts";
import { openSource } from "../open-source.ts";
import { checkUrl, type PreparedJob, prepareJob } from "../prepare-job.ts";
import type { ReceivedAudio } from "./receive-audio.ts";

/** Our own fields, made of another service's; checked as if they had come to our own door. */
export function checkedJob(api: Api, caller: Caller, request: Request, fields: UploadFields): PreparedJob {
  const parsed = uploadFields.safeParse(fields);
  if (!parsed.success) throw invalidInput(parsed.error, "field");
  return prepareJob(api, caller, request, parsed.data);
}

const UNKNOWN = "unknown";

/**
 * Makes a job of audio that was sent along. With `attach`, an equal one that is under way takes its place: clients that
 * send everything again after a cut connection would else pay twice. Audio that no job took is removed.
 *
 * @throws AllowanceExceeded
 */
export async function submitAudio(
  api: Api,
  caller: Caller,
  prepared: PreparedJob,
  { audio, attach }: { audio: ReceivedAudio; attach: boolean },
): Promise<JobRow> {
  const jobs = tenantJobs(api.db, caller.tenantId);
  const { id, key, bytes, sha256, media } = audio;
  const job = media === STUB_MEDIA ? asStub(prepared) : prepared;
  let taken = false;
  try {
    const equal = attach ? await jobs.findEqual({ ...job, audioSha256: sha256 }) : null;
    if (equal) return equal;
    const created = await jobs.create({
      ...job,
      id,
      source: { kind: "upload", uploadId: id },
      audioSeconds: audioSecondsOfUpload(bytes),
      audioKey: key,
      audioSha256: sha256,
      audioBytes: bytes,
    });
    taken = true;
    api.metrics.jobsAccepted.inc({ source: "upload" });
    api.metrics.uploadedBytes.inc(bytes);
    api.dispatcher.poke("transcription");
    return created;
  } finally {
    // A commit whose answer got lost may have happened: then its audio stays, for retention to find.
    if (!taken && (await jobs.get(id).catch(() => UNKNOWN)) === null) await api.storage.remove(key);
  }
}

/** A rehearsal: the text that came is the transcript, whoever was to write it. */
function asStub(job: PreparedJob): PreparedJob {
  return { ...job, engine: "stub", model: "stub", providerAccount: undefined };
}

export interface NamedSource {
  url?: string | undefined;
  upload_id?: string | undefined;
}

/**
 * Makes jobs of addresses and of uploads that are here already; with `attach`, an equal one of an address that is under
 * way takes the new one's place.
 *
 * @throws RequestError `url_not_allowed`, `not_found`; AllowanceExceeded
 */
export function createSubmit(api: Api) {
  const estimate: EstimateAudioSeconds = createEstimate();
  return async (
    caller: Caller,
    job: PreparedJob,
    { source, field, attach = false }: { source: NamedSource; field: string; attach?: boolean },
  ): Promise<JobRow> => {
    if (source.url !== undefined) checkUrl(api, field, source.url);
    const jobs = tenantJobs(api.db, caller.tenantId);
    const equal = attach && source.url !== undefined ? await jobs.findEqual({ ...job, url: source.url }) : null;
    if (equal) return equal;
    const opened = await openSource(api, caller, source, estimate);
    const created = await jobs.create({ ...((await isText(api, caller, source)) ? asStub(job) : job), ...opened });
    api.metrics.jobsAccepted.inc({ source: created.source.kind });
    api.dispatcher.poke("transcription");
    return created;
  };
}

async function isText({ db, config }: Api, { tenantId }: Caller, { upload_id: id }: NamedSource): Promise<boolean> {
  if (!config.compat.SCRIBE_ENABLE_STUB || id === undefined) return false;
  return (await tenantUploads(db, tenantId).getStored(id))?.contentType === STUB_MEDIA.contentType;
}
