import { type JobRow, tenantJobs } from "@scribe/database";
import { type UploadFields, uploadFields } from "@scribe/domain";
import type { Request } from "express";
import type { Api } from "../../api.ts";
import { audioSecondsOfUpload, createEstimate, type EstimateAudioSeconds } from "../audio-seconds.ts";
import { invalidInput } from "../invalid-input.ts";
import type { Caller } from "../middleware/authenticate.ts";
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
  job: PreparedJob,
  { audio, attach }: { audio: ReceivedAudio; attach: boolean },
): Promise<JobRow> {
  const jobs = tenantJobs(api.db, caller.tenantId);
  const { id, key, bytes, sha256 } = audio;
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

/** Makes a job of an address, or finds an equal one that is under way. */
export function createSubmitUrl(api: Api) {
  const estimate: EstimateAudioSeconds = createEstimate();
  return async (
    caller: Caller,
    job: PreparedJob,
    { url, field, attach }: { url: string; field: string; attach: boolean },
  ): Promise<JobRow> => {
    checkUrl(api, field, url);
    const jobs = tenantJobs(api.db, caller.tenantId);
    const equal = attach ? await jobs.findEqual({ ...job, url }) : null;
    if (equal) return equal;
    const audioSeconds = await estimate(caller.tenantId, jobs);
    const created = await jobs.create({ ...job, source: { kind: "url", url }, audioSeconds });
    api.metrics.jobsAccepted.inc({ source: "url" });
    api.dispatcher.poke("transcription");
    return created;
  };
}
