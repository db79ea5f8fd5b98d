import type { Segment, Transcript } from "../transcript.ts";
import type { ForeignJob } from "./front-door.ts";
import { pythonJson } from "./python-json.ts";

const STATUSES = {
  pending: null,
  processing: "transcribing",
  completed: "transcribed",
  failed: "transcription_failed",
  cancelled: "transcription_failed",
} as const;

/** A segment as the older service wrote it: with the list of its speakers, empty where nobody was told apart. */
export function legacySegment(segment: Segment): Record<string, unknown> {
  const { speaker, words, ...rest } = segment;
  return {
    ...rest,
    ...(words ? { words: words.map(({ speaker: _who, ...word }) => word) } : {}),
    speakers: speaker === undefined ? [] : [speaker],
  };
}

function legacyTranscript(transcript: Transcript): Record<string, unknown> {
  return { ...transcript, segments: transcript.segments.map(legacySegment) };
}

/**
 * The older service's webhook, as the exact bytes that Python wrote: `{error?, recording_id, status, timestamp: null,
 * transcription?}`. Receivers that sign the raw body and those that write again what they parsed agree on them.
 */
export function renderLegacyWebhook(job: ForeignJob, transcript: Transcript | null): string | null {
  const status = STATUSES[job.status];
  if (status === null) return null;
  return pythonJson({
    recording_id: job.recordingId ?? job.id,
    status,
    timestamp: null,
    ...(transcript ? { transcription: legacyTranscript(transcript) } : {}),
    ...(status === "transcription_failed" ? { error: job.error?.message ?? "The job was cancelled." } : {}),
  });
}
