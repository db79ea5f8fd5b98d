import { createHash } from "node:crypto";
import { findSpeakersFound, recordPhase, recordSpeakersFound, tenantJobs } from "@scribe/database";
import {
  assignSpeakers,
  type DiarizationTurn,
  type EngineSpeakers,
  type PcmAudio,
  PHASE_PROGRESS,
  readStoredOptions,
  type Segment,
  SPEAKERS_IDENTITY,
  type TranscriptionOptions,
} from "@scribe/domain";
import { type Attempt, showProgress, type WorkerParts } from "../attempt.ts";
import { asked, held, WorkStopped } from "../work-stopped.ts";
import type { HeardAudio } from "./decode-audio.ts";
import { speakersOfChannels } from "./speakers-of-channels.ts";

/** Who speaks when, as a finder of speakers says it. */
export type FoundSpeakers = EngineSpeakers;

export interface SpeakerQuestion {
  pcmPath: string;
  minSpeakers?: number | undefined;
  maxSpeakers?: number | undefined;
  /** The part to listen to, in seconds. */
  clip?: { start?: number | undefined; end?: number | undefined } | undefined;
}

/** Tells speakers apart; aborting ends it at once with the signal's reason. `onProgress` is told the share done. */
export type FindSpeakers = (
  question: SpeakerQuestion,
  options: { signal: AbortSignal; onProgress: (share: number) => void },
) => Promise<FoundSpeakers>;

/** What the transcript gains. Without `diarization` there is none, and a warning says why. */
export interface SpeakerResult {
  /** All of them, split where the speaker changes. */
  segments?: Segment[];
  speakers?: string[];
  diarization?: { method: string; num_speakers: number; turns: DiarizationTurn[] };
  warnings: string[];
}

export interface Diarizing {
  /** Waits for the speakers, and gives the words that were transcribed meanwhile to them. */
  finish(): Promise<SpeakerResult>;
  /** Ends what is still running. */
  stop(): void;
}

/** How long the finder may be silent: a chunk of ten minutes takes seconds. */
const SILENT_LIMIT_MS = 150_000;
/** Raised where the same recording would be given other speakers than before. */
const METHODS_VERSION = 1;
const NOTHING: SpeakerResult = { warnings: [] };

/**
 * Begins to tell speakers apart beside the transcription, where the job asks for it. What goes wrong with it costs the
 * speakers, and never the transcript.
 */
export function beginDiarization(audio: HeardAudio, attempt: Attempt, parts: WorkerParts): Diarizing {
  const options = readStoredOptions(attempt.job.options);
  const { channels } = audio;
  if (channels) return { finish: () => speakersOfChannels(channels, attempt, parts), stop: () => {} };
  // Who asked for a speaker a channel, where there is but one, is told speakers by their voices.
  if (!(options.diarize ?? options.channels === "split")) return { finish: async () => NOTHING, stop: () => {} };
  if (audio.path === "") return { finish: async () => ({ warnings: [NO_AUDIO] }), stop: () => {} };

  const ended = new AbortController();
  const signal = AbortSignal.any([attempt.signal, ended.signal]);
  let tellProgress = (_share: number) => {};
  let share = 0;
  const onProgress = (now: number) => {
    share = now;
    tellProgress(now);
  };
  const finding = findOnce(questionOf(audio, options), { signal, onProgress }, attempt, parts).then(
    (found) => ({ found }),
    (error: unknown) => ({ error }),
  );
  return {
    async finish() {
      const { job, lease, keeper } = attempt;
      await held(recordPhase(parts.db, lease, "diarizing"));
      tellProgress = (now) => {
        keeper.announce("diarize", SILENT_LIMIT_MS);
        const { transcribing, diarizing } = PHASE_PROGRESS;
        showProgress(parts, job.id, "diarizing", transcribing + now * (diarizing - transcribing));
      };
      tellProgress(share);
      const outcome = await finding;
      if (attempt.signal.aborted) throw attempt.signal.reason;
      if ("error" in outcome) {
        if (outcome.error instanceof WorkStopped) throw outcome.error;
        attempt.log.warn({ err: outcome.error }, "speakers could not be told apart");
        return { warnings: [FAILED] };
      }
      const segments = await asked(tenantJobs(parts.db, job.tenantId).segments(job.id));
      return describe(outcome.found, segments, options);
    },
    stop: () => ended.abort(),
  };
}

/** What an earlier attempt has found from the same audio, in the same way; else looks, and keeps it for the next one. */
async function findOnce(
  question: SpeakerQuestion,
  options: Parameters<FindSpeakers>[1],
  { job, lease }: Attempt,
  parts: WorkerParts,
): Promise<FoundSpeakers> {
  const { pcmPath: _, ...asks } = question;
  const settings = parts.resultCache.identities()[SPEAKERS_IDENTITY];
  const from = JSON.stringify([METHODS_VERSION, job.audioSha256, settings, asks]);
  const fingerprint = createHash("sha256").update(from).digest("hex");
  const before = await asked(findSpeakersFound(parts.db, lease, fingerprint));
  if (before) return before;
  const found = await parts.findSpeakers(question, options);
  await held(recordSpeakersFound(parts.db, lease, { fingerprint, found }));
  return found;
}

/** Where the engine tells speakers apart itself. */
export const LEFT_TO_ENGINE: Diarizing = { finish: async () => NOTHING, stop: () => {} };

/** What the engine has heard itself, as `Diarizing` gives it. */
export async function takeSpeakers(found: EngineSpeakers, { job, lease }: Attempt, parts: WorkerParts) {
  await held(recordPhase(parts.db, lease, "diarizing"));
  const segments = await asked(tenantJobs(parts.db, job.tenantId).segments(job.id));
  return describe(found, segments, readStoredOptions(job.options));
}

const NO_AUDIO = "Speakers were not told apart: this engine plays without audio.";
const FAILED =
  "Speakers could not be told apart because of an error on our side; the transcript is complete without them.";

function questionOf(audio: PcmAudio, options: TranscriptionOptions): SpeakerQuestion {
  const { num_speakers, min_speakers, max_speakers, clip } = options;
  return {
    pcmPath: audio.path,
    minSpeakers: num_speakers ?? min_speakers,
    maxSpeakers: num_speakers ?? max_speakers,
    clip,
  };
}

function describe(found: FoundSpeakers, segments: Segment[], options: TranscriptionOptions): SpeakerResult {
  const { method, speakers, turns, exclusiveTurns } = found;
  const least = options.num_speakers ?? options.min_speakers ?? 0;
  const warnings: string[] = [];
  if (speakers.length === 0) warnings.push("No speech was found in which speakers could be told apart.");
  else if (speakers.length < least) {
    warnings.push(`At least ${least} speakers were expected, but only ${speakers.length} could be told apart.`);
  }
  return {
    segments: assignSpeakers(segments, exclusiveTurns),
    speakers,
    diarization: { method, num_speakers: speakers.length, turns },
    warnings,
  };
}
