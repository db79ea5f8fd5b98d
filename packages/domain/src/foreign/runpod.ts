import type { Segment, Transcript } from "../transcript.ts";
import type { ForeignJob } from "./front-door.ts";

/** What of a RunPod request decides how its answers look. */
export interface RunpodAsk {
  /** The name in the path; `ivrit` has items with a type. */
  endpoint: string;
  streaming: boolean;
  wordTimestamps: boolean;
  extraData: boolean;
}

const ENDPOINT_WITH_TYPES = "ivrit";

export type RunpodStatus = "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED" | "TIMED_OUT";

export function runpodStatus({ status, error }: Pick<ForeignJob, "status" | "error">): RunpodStatus {
  if (status === "failed") return error?.code === "timeout" ? "TIMED_OUT" : "FAILED";
  return ({ pending: "IN_QUEUE", processing: "IN_PROGRESS", completed: "COMPLETED", cancelled: "CANCELLED" } as const)[
    status
  ];
}

/** RunPod's answer to `/status`, and what it posts to `webhook`. Times in whole milliseconds. */
export function renderRunpod(job: ForeignJob, transcript: Transcript | null) {
  const status = runpodStatus(job);
  const { createdAt, startedAt, completedAt } = job;
  const now = completedAt ?? job.updatedAt;
  return {
    id: job.id,
    status,
    delayTime: Math.max(0, (startedAt ?? now).getTime() - createdAt.getTime()),
    ...(startedAt === null ? {} : { executionTime: Math.max(0, now.getTime() - startedAt.getTime()) }),
    ...(transcript ? { output: runpodOutput(job, transcript.segments) } : {}),
    ...(status === "FAILED" || status === "TIMED_OUT" ? { error: job.error?.message ?? "The job failed." } : {}),
  };
}

export function renderRunpodWebhook(job: ForeignJob, transcript: Transcript | null): string | null {
  return job.status === "processing" ? null : JSON.stringify(renderRunpod(job, transcript));
}

/** All that the worker's handler would have yielded, in order. */
export function runpodOutput(job: Pick<ForeignJob, "frontDoor">, segments: readonly Segment[]): unknown[] {
  const ask = askOf(job);
  if (ask.endpoint === ENDPOINT_WITH_TYPES || ask.streaming) return runpodItems(job, segments, 0);
  return [{ result: segments.map((segment) => [runpodSegment(segment, ask)]) }];
}

/** What a stream yields for segments that have just been finished; `first` is the number of the first of them. */
export function runpodItems(
  job: Pick<ForeignJob, "frontDoor">,
  segments: readonly Segment[],
  first: number,
): unknown[] {
  const ask = askOf(job);
  return segments.map((segment, at) => {
    const data = [runpodSegment(segment, ask)];
    return ask.endpoint === ENDPOINT_WITH_TYPES ? { type: "segments", data, index: first + at } : data;
  });
}

/** Items that only the newer form knows. */
export function runpodNotices(job: Pick<ForeignJob, "frontDoor" | "progress" | "error">): unknown[] {
  if (askOf(job).endpoint !== ENDPOINT_WITH_TYPES) return [];
  const error = job.error === null ? [] : [{ type: "error", data: job.error.message }];
  return [{ type: "progress", data: { progress: job.progress } }, ...error];
}

/** Whether segments are handed out before the job has ended. */
export function streamsItems(job: Pick<ForeignJob, "frontDoor">): boolean {
  const { endpoint, streaming } = askOf(job);
  return streaming || endpoint === ENDPOINT_WITH_TYPES;
}

function askOf({ frontDoor }: Pick<ForeignJob, "frontDoor">): RunpodAsk {
  const ask = (frontDoor?.ask ?? {}) as Partial<RunpodAsk>;
  return { endpoint: "", streaming: false, wordTimestamps: true, extraData: false, ...ask };
}

function runpodSegment(segment: Segment, { wordTimestamps, extraData }: RunpodAsk) {
  const { id, start, end, text, speaker, words = [], avg_logprob, compression_ratio, no_speech_prob } = segment;
  return {
    ...{ id, start, end, text, avg_logprob, compression_ratio, no_speech_prob },
    speakers: speaker === undefined ? [] : [speaker],
    ...(wordTimestamps ? { words: words.map((word) => ({ ...word, speaker: word.speaker ?? null })) } : {}),
    ...(extraData ? { extra_data: segment.extra_data ?? {} } : {}),
  };
}
