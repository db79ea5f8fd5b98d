import type { TranscriptionOptions } from "./job-options.ts";
import type { ProviderAccess } from "./providers/provider.ts";
import type { DiarizationTurn, Segment } from "./transcript.ts";

/** Decoded audio on the local disk: 16 kHz, one channel, signed 16 bit little endian, no header. */
export interface PcmAudio {
  path: string;
  samples: number;
  durationSeconds: number;
}

/** What a checkpoint must agree with to hold for another attempt; each engine fills in what shapes its text. */
export interface EngineCheckpoint {
  /** Model hash, precision, provider, decoder version, options: one string; another one means starting again. */
  fingerprint: string;
  /** Audio behind us, in seconds. */
  processedSeconds: number;
  /** The engine's own: position, previous text's tokens, language. JSON. */
  state: unknown;
}

export interface EngineRequest {
  jobId: string;
  model: string;
  audio: PcmAudio;
  options: TranscriptionOptions;
  metadata: Record<string, unknown>;
  resume: EngineCheckpoint | null;
  /** Whether other jobs may share the engine's process while this one runs. */
  alone: boolean;
  /** Whose job it is, and how urgent (lower first): jobs share an engine fairly. */
  tenant?: string | undefined;
  priority?: number | undefined;
  /** Of an engine that asks a provider. */
  access?: ProviderAccess | undefined;
}

export type EngineEvent =
  /** A step is under way that may be silent until its deadline; the lease is renewed only while one holds. */
  | { type: "operation"; operation: string; deadlineMs: number }
  /** The checkpoint given was not of this model and options; everything starts again. */
  | { type: "restart" }
  | { type: "language"; language: string; probability: number | null }
  | {
      type: "window";
      segments: EngineSegment[];
      processedSeconds: number;
      totalSeconds: number;
      checkpoint: EngineCheckpoint;
    }
  | { type: "warning"; message: string }
  | {
      type: "done";
      language: string | null;
      languageProbability: number | null;
      wordsMethod?: string;
      speakers?: EngineSpeakers;
    };

/** Who speaks when, where the engine tells speakers apart itself; `exclusiveTurns` have one speaker at a time. */
export interface EngineSpeakers {
  method: string;
  speakers: string[];
  turns: DiarizationTurn[];
  exclusiveTurns: DiarizationTurn[];
}

/** `speaker` and `channel` only where the engine was given a channel that is a speaker. */
export type EngineSegment = Omit<Segment, "id">;

/**
 * Something that turns audio into segments. Errors are thrown with a `code` of the job catalogue and `retryable`; a
 * process that died throws `worker_crashed` with `childDeath: true` and how many jobs it held.
 * Aborting ends the iteration within two seconds, with the signal's reason.
 */
export interface Engine {
  readonly name: string;
  /** Models that are in memory now. */
  loadedModels(): string[];
  /**
   * What decides the text of a model beside audio and options, as a hash; null where that takes fetching the model first.
   * An engine that cannot say has none: its results are not kept for equal jobs.
   */
  identityOf?(model: string): Promise<string | null>;
  transcribe(request: EngineRequest, signal: AbortSignal): AsyncIterable<EngineEvent>;
  close(): Promise<void>;
}
