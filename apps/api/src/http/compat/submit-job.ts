import { type EqualJob, type JobRow, tenantJobs } from "@scribe/database";
import { type UploadFields, uploadFields } from "@scribe/domain";
import type { Request } from "express";
import type { Api } from "../../api.ts";
import { STUB_MEDIA } from "../../store-media.ts";
import { invalidInput } from "../invalid-input.ts";
import type { Caller } from "../middleware/authenticate.ts";
import { type NamedSource, openSource } from "../open-source.ts";
import { checkUrl, type PreparedJob, prepareJob } from "../prepare-job.ts";
import type { ReceivedAudio } from "../receive-audio.ts";
import { submitAudio, submitJob } from "../submit-job.ts";

/** Our own fields, made of another service's; checked as if they had come to our own door. */
export async function checkedJob(
  api: Api,
  caller: Caller,
  request: Request,
  fields: UploadFields,
): Promise<PreparedJob> {
  const parsed = uploadFields.safeParse(fields);
  if (!parsed.success) throw invalidInput(parsed.error, "field");
  return await prepareJob(api, caller, request, parsed.data);
}

/**
 * Makes a job of audio that was sent along. With `attach`, an equal one that is under way takes its place: clients that
 * send everything again after a cut connection would else pay twice.
 *
 * @throws AllowanceExceeded
 */
export async function submitForeignAudio(
  api: Api,
  caller: Caller,
  prepared: PreparedJob,
  { audio, attach = false }: { audio: ReceivedAudio; attach?: boolean },
): Promise<JobRow> {
  const job = audio.media === STUB_MEDIA ? asStub(prepared) : prepared;
  return await submitAudio(api, caller, audio, async (submit) => {
    const equal = attach ? await findEqual(api, caller, { ...job, audioSha256: audio.sha256 }) : null;
    return equal ?? (await submit(job));
  });
}

/**
 * Makes a job of an address, or of an upload that is here already; with `attach`, an equal one of an address that is under
 * way takes the new one's place.
 *
 * @throws RequestError `url_not_allowed`, `not_found`; AllowanceExceeded
 */
export async function submitForeignSource(
  api: Api,
  caller: Caller,
  job: PreparedJob,
  { source, field, attach = false }: { source: NamedSource; field: string; attach?: boolean },
): Promise<JobRow> {
  const { url } = source;
  if (url !== undefined) checkUrl(api, field, url);
  const equal = attach && url !== undefined ? await findEqual(api, caller, { ...job, url }) : null;
  if (equal) return equal;
  const { opened, contentType } = await openSource(api, caller, source);
  const isText = api.config.compat.SCRIBE_ENABLE_STUB && contentType === STUB_MEDIA.contentType;
  return await submitJob(api, caller, { ...(isText ? asStub(job) : job), ...opened });
}

async function findEqual({ db }: Api, { tenantId }: Caller, job: EqualJob): Promise<JobRow | null> {
  return await tenantJobs(db, tenantId).findEqual(job);
}

/** A rehearsal: the text that came is the transcript, whoever was to write it. */
function asStub(job: PreparedJob): PreparedJob {
  return { ...job, engine: "stub", model: "stub", providerAccount: undefined };
}
