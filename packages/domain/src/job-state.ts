/** The life of a job: one table, and every change of status goes through it. */
export const JOB_STATUSES = ["pending", "processing", "completed", "failed", "cancelled"] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

export const JOB_PHASES = ["queued", "fetching", "decoding", "transcribing", "diarizing", "finalizing"] as const;
export type JobPhase = (typeof JOB_PHASES)[number];

/** Where a job may go from each status. Between attempts it stays `processing`, phase `queued`. */
export const JOB_TRANSITIONS = {
  pending: ["processing", "failed", "cancelled"],
  processing: ["processing", "completed", "failed", "cancelled"],
  completed: [],
  failed: [],
  cancelled: [],
} as const satisfies Record<JobStatus, readonly JobStatus[]>;

export type TerminalStatus = "completed" | "failed" | "cancelled";

export function isTerminal(status: JobStatus): status is TerminalStatus {
  return JOB_TRANSITIONS[status].length === 0;
}

export function mayBecome(from: JobStatus, to: JobStatus): boolean {
  return (JOB_TRANSITIONS[from] as readonly JobStatus[]).includes(to);
}

export const PRIORITIES = { high: 1, normal: 2, low: 3 } as const;
export type Priority = keyof typeof PRIORITIES;

/** The share of `progress` (0–100) that each phase ends at; transcribing moves between two of them by the audio. */
export const PHASE_PROGRESS = {
  queued: 0,
  fetching: 2,
  decoding: 5,
  transcribing: 95,
  diarizing: 98,
  finalizing: 99,
} as const satisfies Record<JobPhase, number>;

/** Progress while transcribing: the audio behind us, in seconds, mapped between the ends of decoding and transcribing. */
export function transcribingProgress(processedSeconds: number, totalSeconds: number): number {
  const share = totalSeconds > 0 ? Math.min(1, Math.max(0, processedSeconds / totalSeconds)) : 1;
  const progress = PHASE_PROGRESS.decoding + share * (PHASE_PROGRESS.transcribing - PHASE_PROGRESS.decoding);
  return Math.round(progress * 10) / 10;
}
