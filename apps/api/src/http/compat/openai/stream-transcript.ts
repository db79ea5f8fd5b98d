import { tenantJobs } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import type { Response } from "express";
import type { Api } from "../../../api.ts";
import { openSseWriter } from "../../../streams/sse-writer.ts";
import { whenClosed } from "../../../when-closed.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { readTranscript } from "../answer-when-done.ts";
import { followEvents, isHeard, waitForJob } from "../follow-job.ts";
import { toOpenaiError } from "./door.ts";
import { diarizedSegment, speakerNames, usageOf } from "./render.ts";
import type { TranscriptionAsk } from "./transcription-form.ts";

/**
 * Streams a job's text as OpenAI's API does: a delta a finished segment, at the end the segments with their speakers
 * where they were asked for, and `done` with all of the text. What fails after the headers comes as an `error` event.
 *
 * @throws RequestError before the headers
 */
export async function streamTranscript(
  api: Api,
  caller: Caller,
  { jobId, response, ask }: { jobId: string; response: Response; ask: TranscriptionAsk },
): Promise<void> {
  response.locals.streamed = true;
  const stop = new AbortController();
  whenClosed(response, () => stop.abort());
  const followed = { tenantId: caller.tenantId, jobId, signal: stop.signal };
  try {
    const job = await waitForJob(api, followed, isHeard, api.waits.foreignHeadersMs);
    if (job.status === "failed" || job.status === "cancelled") await readTranscript(api, caller, job);
  } catch (error) {
    if (stop.signal.aborted) return;
    throw error;
  }
  const writer = openSseWriter(response, stop.signal, api.waits.slowReaderMs);
  const pulse = setInterval(() => void writer.comment().catch(() => stop.abort()), api.waits.foreignFillerMs);
  const send = (data: { type: string; [field: string]: unknown }) => writer.data(data);
  let streamed = "";
  try {
    for await (const { type, data } of followEvents(api, followed)) {
      if (type !== "segment") continue;
      const text = String(data.text).trim();
      const delta = streamed === "" || text === "" ? text : ` ${text}`;
      if (delta === "") continue;
      streamed += delta;
      await send({ type: "transcript.text.delta", delta });
    }
    const job = await tenantJobs(api.db, caller.tenantId).get(jobId);
    if (job === null) throw new RequestError("not_found", "The job was erased.");
    const transcript = await readTranscript(api, caller, job);
    if (ask.format === "diarized_json") {
      const nameOf = speakerNames(transcript.speakers ?? [], ask.speakerNames);
      for (const [index, segment] of transcript.segments.entries()) await send(diarizedSegment(segment, index, nameOf));
    }
    await send({ type: "transcript.text.done", text: transcript.text, usage: usageOf(transcript) });
    writer.end();
  } catch (error) {
    if (response.destroyed) return;
    const told =
      error instanceof RequestError ? error : new RequestError("internal", "Something went wrong on our side.");
    api.log.info({ err: error, job: jobId }, "a streamed transcript ended with an error");
    await writer.event("error", toOpenaiError(told)).catch(() => undefined);
    writer.end();
  } finally {
    clearInterval(pulse);
  }
}
