import { JobError } from "@scribe/domain";
import type { CagedRun } from "./cage.ts";

/** What ffmpeg says → what the user is told. The first that matches counts. */
const EXPLANATIONS: readonly (readonly [RegExp, string])[] = [
  [/cannot allocate memory/i, "Reading the file needs more memory than one file may use."],
  [/moov atom not found/i, "The file is incomplete: the index that MP4 and MOV files need is missing."],
  [/(?:format|demuxer) not on whitelist/i, "This kind of file is not accepted as audio."],
  [
    /not on whitelist|decoder .* not found|could not find codec|unknown codec/i,
    "The file's audio codec is not supported.",
  ],
  [/matches no streams/i, "The file holds no audio stream."],
  [/end of file/i, "The file ends before any audio."],
];

/** The error of a run that gave nothing. Killed from outside (out of memory) is ours and tried again; else the file's. */
export function explainFailure({ stderr, killedBy }: CagedRun): JobError {
  const cause = new Error(stderr.trim() || `ended by ${killedBy ?? "itself"}`);
  if (killedBy === "SIGKILL" || killedBy === "SIGTERM") {
    return new JobError("internal", "The decoder was stopped by the system.", { cause });
  }
  const [, explanation] = EXPLANATIONS.find(([pattern]) => pattern.test(stderr)) ?? [];
  return new JobError("unsupported_audio", explanation ?? "The file is damaged, or no audio that can be read.", {
    cause,
  });
}

/** Complaints about streams that we do not read, by our own walls. */
const HARMLESS =
  /not on whitelist|failed to open codec in avformat_find_stream_info|could not find codec parameters|last message repeated/i;

/** Whether ffmpeg complained of the data that it decoded. */
export function complainsOfDamage(stderr: string): boolean {
  return stderr.split("\n").some((line) => line.trim() !== "" && !HARMLESS.test(line));
}
