import { tenantJobs } from "@scribe/database";
import { mergeChannels, turnsOfSegments } from "@scribe/domain";
import type { Attempt, WorkerParts } from "../attempt.ts";
import { asked } from "../work-stopped.ts";
import type { SplitChannels } from "./decode-channels.ts";
import type { SpeakerResult } from "./diarize.ts";

/** What was heard in each channel, by time and without echoes; each channel is a speaker. */
export async function speakersOfChannels(
  { isDrowned }: SplitChannels,
  { job }: Attempt,
  { db }: WorkerParts,
): Promise<SpeakerResult> {
  const segments = mergeChannels(await asked(tenantJobs(db, job.tenantId).segments(job.id)), isDrowned);
  const turns = turnsOfSegments(segments);
  const speakers = [...new Set(turns.map(({ speaker }) => speaker))].sort();
  return {
    segments,
    speakers,
    diarization: { method: "channels", num_speakers: speakers.length, turns },
    warnings: [],
  };
}
