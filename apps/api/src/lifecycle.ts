/** How far the process is on its way from start to end; probes and long answers look at it. */
export interface Lifecycle {
  readonly startedAtMs: number;
  /** Set when the process was told to end: nothing new is begun, and /ready says so. */
  draining: boolean;
  /** Of /ready: when it was last asked (Unix ms), and how often since then at a probe's pace. */
  readyAskedAtMs: number;
  readyProbes: number;
  /** Answers that told a probe to send nothing more. */
  toldNotReady: number;
}

export function newLifecycle(): Lifecycle {
  return { startedAtMs: Date.now(), draining: false, readyAskedAtMs: 0, readyProbes: 0, toldNotReady: 0 };
}

/** Orchestrators probe every few seconds; who asks faster waits for the start. */
const PROBE_PACE_MS = 800;
const STILL_PROBING_MS = 30_000;

export function noteProbe(lifecycle: Lifecycle): void {
  const now = Date.now();
  if (now - lifecycle.readyAskedAtMs >= PROBE_PACE_MS) lifecycle.readyProbes += 1;
  lifecycle.readyAskedAtMs = now;
  if (lifecycle.draining) lifecycle.toldNotReady += 1;
}

/** Whether somebody routes requests by /ready, and would go on sending them to a closed door. */
export function isProbed({ readyProbes, readyAskedAtMs }: Lifecycle): boolean {
  return readyProbes >= 2 && Date.now() - readyAskedAtMs < STILL_PROBING_MS;
}
