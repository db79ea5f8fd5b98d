import { type JobRow, tenantJobs } from "@scribe/database";
import type { JobErrorCode, RequestErrorCode, Transcript } from "@scribe/domain";
import { RequestError } from "@scribe/domain";
import type { Response } from "express";
import type { Api } from "../../api.ts";
import { goneSignal } from "../../when-closed.ts";
import type { Caller } from "../middleware/authenticate.ts";
import { hasEnded, isHeard, waitForJob } from "./follow-job.ts";

/** What a whole transcript looks like to a client of another service. */
export interface ForeignTranscript {
  contentType: string;
  /** Comes first, and may be sent long before the rest. */
  opening?: string;
  /** Changes nothing where it stands between opening and rest: what is sent while the work goes on. */
  filler: string;
  /** All that follows the opening. */
  rest: (transcript: Transcript, job: JobRow) => string;
}

/**
 * Answers with the transcript of a job once it is there. Bad input keeps its status: no header is sent before some of the
 * audio was transcribed, or 45 s went by. Then a byte every 15 s shows clients and proxies that somebody is here; what fails that
 * late cuts the connection. A client that goes away leaves its job alone.
 *
 * @throws RequestError where nothing was sent yet; a client that went away ends it without one
 */
export async function answerWhenDone(
  api: Api,
  caller: Caller,
  { jobId, response, foreign }: { jobId: string; response: Response; foreign: ForeignTranscript },
): Promise<void> {
  response.locals.streamed = true;
  const gone = goneSignal(response);
  const followed = { tenantId: caller.tenantId, jobId, signal: gone };
  const { opening = "", filler, rest, contentType } = foreign;
  let pulse: NodeJS.Timeout | undefined;
  try {
    let job = await waitForJob(api, followed, isHeard, api.waits.foreignHeadersMs);
    let sent = false;
    if (!hasEnded(job)) {
      sendHead(response, contentType);
      if (opening) response.write(opening);
      else response.flushHeaders();
      sent = true;
      pulse = setInterval(() => response.write(filler), api.waits.foreignFillerMs);
      job = await waitForJob(api, followed, hasEnded);
    }
    const body = rest(await readTranscript(api, caller, job), job);
    clearInterval(pulse);
    if (!sent) {
      sendHead(response, contentType);
      response.setHeader("Content-Length", Buffer.byteLength(opening + body));
    }
    // Whoever takes nothing would keep the transcript here, and a place among those who wait.
    response.setTimeout(api.waits.slowReaderMs, () => response.destroy());
    response.end(sent ? body : opening + body);
  } catch (error) {
    if (!gone.aborted) throw error;
  } finally {
    clearInterval(pulse);
  }
}

function sendHead(response: Response, contentType: string): void {
  response.statusCode = 200;
  response.setHeader("Content-Type", contentType);
  response.setHeader("Cache-Control", "no-store");
}

/** @throws RequestError that says how the job ended, where it is not with a transcript */
export async function readTranscript(api: Api, { tenantId }: Caller, job: JobRow): Promise<Transcript> {
  if (job.status === "completed") {
    const transcript = await tenantJobs(api.db, tenantId).transcript(job.id);
    if (transcript) return transcript;
    throw new RequestError("not_found", "The transcript was erased.");
  }
  if (job.status === "cancelled") throw new RequestError("conflict", "The job was cancelled.");
  throw requestErrorOf(job);
}

const AS_REQUEST: Record<JobErrorCode, RequestErrorCode> = {
  url_not_allowed: "url_not_allowed",
  audio_fetch_failed: "invalid_request",
  audio_expired: "invalid_request",
  audio_too_large: "payload_too_large",
  audio_too_long: "payload_too_large",
  unsupported_audio: "unsupported_media",
  no_audio_stream: "unsupported_media",
  model_unavailable: "service_unavailable",
  invalid_model: "unknown_model",
  language_unsupported: "invalid_request",
  out_of_memory: "internal",
  timeout: "internal",
  worker_crashed: "internal",
  provider_error: "internal",
  provider_unauthorized: "provider_unauthorized",
  internal: "internal",
};

/** What a job's failure would have been, had the request itself done the work. */
function requestErrorOf({ error }: Pick<JobRow, "error">): RequestError {
  if (error === null) return new RequestError("internal", "Something went wrong on our side.");
  return new RequestError(AS_REQUEST[error.code], error.message);
}
