import type { Claimed, Database, Lease } from "@scribe/database";
import type { Engine, JobPhase, ProviderAccess } from "@scribe/domain";
import type { FfmpegPrograms } from "@scribe/media";
import type { OutboundClient } from "@scribe/outbound";
import type { Notifications, QueueKind } from "@scribe/queue";
import type { BlobStore } from "@scribe/storage";
import type { Logger, Span, Tracer } from "@scribe/telemetry";
import type { EngineGate } from "./engine-gate.ts";
import type { Fail } from "./fail-point.ts";
import type { HeldJobs } from "./held-jobs.ts";
import type { LeaseKeeper } from "./keep-lease.ts";
import type { ResultCache } from "./result-cache.ts";
import type { FindSpeakers } from "./steps/diarize.ts";
import type { WorkFolder } from "./work-folder.ts";
import type { WorkerMetrics } from "./worker-metrics.ts";

/** An engine, and how its jobs differ: played without audio (then for how many seconds), or asked of a provider. */
export interface FittedEngine {
  engine: Engine;
  secondsWithoutAudio?: (metadata: Record<string, unknown>) => number | null;
  /** With which key, and where, a job's provider is asked. */
  accessFor?: (job: Claimed) => Promise<ProviderAccess>;
  /** Tells speakers apart itself, where a job asks for it. */
  tellsSpeakers?: boolean;
}

export interface JobSettings {
  leaseSeconds: number;
  maxAttempts: number;
  /** How long an attempt may decode, and transcribe, for audio of this length. */
  timeLimitMs: (audioSeconds: number) => number;
  /** Wait before the next attempt, after `attempt` (from 1) ended in an error. */
  backoffSeconds: (attempt: number) => number;
  maxAudioSeconds: number;
  maxAudioBytes: number;
  /** Address space of one decoder. */
  decoderMemoryBytes: number;
  fetchTimeoutMs: number;
  /** Longest wait for the next byte of audio. */
  idleTimeoutMs: number;
}

/** What the steps of a job's way work with; made once a worker. */
export interface WorkerParts {
  workerId: string;
  db: Database;
  storage: BlobStore;
  outbound: OutboundClient;
  programs: FfmpegPrograms;
  engines: ReadonlyMap<string, FittedEngine>;
  findSpeakers: FindSpeakers;
  gate: EngineGate;
  held: HeldJobs;
  notifications: Notifications;
  workFolder: WorkFolder;
  resultCache: ResultCache;
  settings: JobSettings;
  metrics: WorkerMetrics;
  tracer: Tracer;
  fail: Fail;
  log: Logger;
  /** Rows wait for a worker, now or soon, or there is room in the window for others. */
  poke: (kind: QueueKind) => void;
}

/** One claim of one job. */
export interface Attempt {
  job: Claimed;
  lease: Lease;
  keeper: LeaseKeeper;
  /** Aborted where the lease is lost, the job cancelled, or the worker goes down; the reason is a `WorkStopped`. */
  signal: AbortSignal;
  /** Its own folder, removed in every ending. */
  folder: string;
  log: Logger;
  /** Of this attempt; its steps are spans below it. */
  span: Span;
  /** Ends renewing, and gives the place in `held` back. */
  close(): void;
}

/** Tells watchers where the job stands; what outlives the moment is written by the steps themselves. */
export function showProgress({ notifications }: WorkerParts, jobId: string, phase: JobPhase, progress: number): void {
  notifications.publishProgress(jobId, { phase, progress });
}
