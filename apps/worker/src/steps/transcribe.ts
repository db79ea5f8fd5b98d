import { recordRestart, recordWindow, tenantJobs } from "@scribe/database";
import {
  type EngineCheckpoint,
  type EngineEvent,
  type EngineSegment,
  type EngineSpeakers,
  JobError,
  PHASE_PROGRESS,
  roundSeconds,
  type Segment,
  transcribingProgress,
} from "@scribe/domain";
import { type Attempt, type FittedEngine, showProgress, type WorkerParts } from "../attempt.ts";
import { transcribeChannels } from "../engines/transcribe-channels.ts";
import { asked, held } from "../work-stopped.ts";
import type { HeardAudio } from "./decode-audio.ts";
import { openPostProcess, type PostProcess } from "./post-process.ts";

export interface Transcription {
  /** Of all segments in order, those of earlier attempts too. */
  texts: string[];
  /** The same as they were heard, where a lexicon changed some of them. */
  originals: string[];
  keepsOriginals: boolean;
  language: string | null;
  languageProbability: number | null;
  wordsMethod: string | undefined;
  /** Where the engine tells them apart itself. */
  speakers?: EngineSpeakers | undefined;
  warnings: string[];
}

/** Waiting for a place in the engine's process is no work that could hang: others decide how long it takes. */
const PATIENCE_MS = 24 * 3_600_000;

/** Until the engine says what it is about to do. */
const FIRST_WORD_MS = 60_000;

/**
 * Runs the engine over the audio and writes each finished window, its segments and its checkpoint, at once. An attempt
 * that finds a checkpoint goes on after it.
 */
export async function transcribe(
  audio: HeardAudio,
  { engine }: FittedEngine,
  attempt: Attempt,
  parts: WorkerParts,
): Promise<Transcription> {
  const { job, keeper, signal } = attempt;
  keeper.announce("wait for the engine", PATIENCE_MS);
  const leave = await parts.gate.enter(job.runAlone, signal);
  const limitMs = parts.settings.timeLimitMs(audio.durationSeconds * (audio.channels?.heard.length ?? 1));
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(tookTooLong(limitMs)), limitMs);
  try {
    const post = await openPostProcess(attempt, parts);
    const written = await openTranscription(post, attempt, parts);
    keeper.announce("engine", FIRST_WORD_MS);
    const request = {
      jobId: job.id,
      model: job.model,
      audio,
      options: post.options,
      metadata: job.metadata,
      resume: post.resume,
      alone: job.runAlone,
      tenant: job.tenantId,
      priority: job.priority,
    };
    const stop = AbortSignal.any([signal, limit.signal]);
    const heard = audio.channels ? transcribeChannels(engine, audio.channels.heard) : engine;
    for await (const event of heard.transcribe(request, stop)) {
      stop.throwIfAborted();
      await take(event, written, post, attempt, parts);
    }
    return written;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw limit.signal.aborted ? limit.signal.reason : error;
  } finally {
    clearTimeout(timer);
    leave();
  }
}

function tookTooLong(limitMs: number): JobError {
  const minutes = Math.round(limitMs / 60_000);
  return new JobError(
    "timeout",
    `The attempt took longer than ${minutes} minutes, the limit for audio of this length.`,
  );
}

/** What earlier attempts have left. Segments without a checkpoint to go on from are of no use. */
async function openTranscription(
  { resume, warnings, keepsOriginal }: PostProcess,
  { job, lease }: Attempt,
  { db }: WorkerParts,
): Promise<Transcription> {
  const written: Transcription = {
    texts: [],
    originals: [],
    keepsOriginals: keepsOriginal,
    language: null,
    languageProbability: null,
    wordsMethod: undefined,
    warnings: [...warnings],
  };
  if (resume === null) {
    if (job.segmentCount > 0 || job.checkpoint !== null) await held(recordRestart(db, lease));
  } else if (job.segmentCount > 0) {
    note(written, await asked(tenantJobs(db, job.tenantId).segments(job.id)));
  }
  return written;
}

async function take(
  event: EngineEvent,
  written: Transcription,
  post: PostProcess,
  attempt: Attempt,
  parts: WorkerParts,
): Promise<void> {
  const { job, lease, keeper } = attempt;
  switch (event.type) {
    case "operation":
      return keeper.announce(event.operation, event.deadlineMs);
    case "restart":
      await held(recordRestart(parts.db, lease));
      post.restart();
      written.texts = [];
      written.originals = [];
      return;
    case "language":
      written.language = event.language;
      written.languageProbability = event.probability;
      return;
    case "warning":
      written.warnings.push(event.message);
      return;
    case "window": {
      const progress = transcribingProgress(event.processedSeconds, event.totalSeconds);
      const ready = post.take(event.segments);
      await write(ready, post.seal(event.checkpoint), progress, written, attempt, parts);
      showProgress(parts, job.id, "transcribing", progress);
      parts.fail("after-window");
      return;
    }
    case "done": {
      const rest = post.finish();
      if (rest.length > 0) await write(rest, post.seal(), PHASE_PROGRESS.transcribing, written, attempt, parts);
      written.language = event.language;
      written.languageProbability = event.languageProbability;
      written.wordsMethod = event.wordsMethod;
      written.speakers = event.speakers;
      return;
    }
    default:
      event satisfies never;
  }
}

/** Stores settled segments with the checkpoint that holds for them, and tells whoever watches. */
async function write(
  ready: readonly EngineSegment[],
  checkpoint: EngineCheckpoint | null,
  progress: number,
  written: Transcription,
  { job, lease }: Attempt,
  parts: WorkerParts,
): Promise<void> {
  if (checkpoint === null) throw new Error("Segments came without a checkpoint.");
  const segments = ready.map((segment, i) => roundOffsets({ id: written.texts.length + i, ...segment }));
  const language = written.language === null ? {} : { language: written.language };
  await held(recordWindow(parts.db, lease, { segments, progress, checkpoint, ...language }));
  note(written, segments);
  if (segments.length > 0) parts.notifications.publishEvents(job.id);
}

function note(written: Transcription, segments: readonly Segment[]): void {
  written.texts.push(...segments.map(({ text }) => text));
  written.originals.push(...segments.map(({ text, original_text: original = text }) => original));
}

function roundOffsets(segment: Segment): Segment {
  const { words } = segment;
  return {
    ...segment,
    start: roundSeconds(segment.start),
    end: roundSeconds(segment.end),
    ...(words && {
      words: words.map((word) => ({ ...word, start: roundSeconds(word.start), end: roundSeconds(word.end) })),
    }),
  };
}
