/** What a scaler may look at. */
export interface Seen {
  /** Jobs that wait. */
  queueLength: number;
  /** `scribe_backlog_audio_seconds` of all models: what waits, and the rest of what runs. */
  backlogAudioSeconds: number;
  /** Share of the slots of workers that are up which are taken. */
  busy: number;
  workersUp: number;
  workersAsked: number;
}

export interface Policy {
  name: string;
  least: number;
  wanted(seen: Seen, fleet: { workerSpeed: number; targetWaitSeconds: number }): number;
}

/** CPU of a worker whose slots are all taken; inference is the GPU's work, so that this is generous. */
const BUSY_CPU = 0.9;
const TARGET_CPU = 0.7;
const JOBS_A_WORKER = 5;

export const POLICIES: Policy[] = [
  {
    name: "audio seconds (ours)",
    least: 0,
    // scribe:wanted_workers of deploy/prometheus/rules.yaml.
    wanted: ({ backlogAudioSeconds }, { workerSpeed, targetWaitSeconds }) =>
      Math.ceil(backlogAudioSeconds / (workerSpeed * targetWaitSeconds)),
  },
  {
    name: `queue length (${JOBS_A_WORKER} jobs a worker)`,
    least: 0,
    wanted: ({ queueLength, busy, workersUp }) =>
      Math.max(Math.ceil(queueLength / JOBS_A_WORKER), busy > 0 ? Math.ceil(busy * workersUp) : 0),
  },
  {
    name: "CPU (70 %)",
    least: 1,
    // The formula of the horizontal pod autoscaler, with its tolerance.
    wanted: ({ busy, workersUp, workersAsked }) => {
      const ratio = (busy * BUSY_CPU) / TARGET_CPU;
      return Math.abs(ratio - 1) <= 0.1 || workersUp === 0 ? workersAsked : Math.ceil(workersUp * ratio);
    },
  },
];
