import type { Lease } from "@scribe/database";
import { type StopReason, WorkStopped } from "./work-stopped.ts";

/** The jobs that this worker has claimed and not ended yet, and the way to stop each from outside. */
export interface HeldJobs {
  add(lease: Lease): { signal: AbortSignal; remove(): void };
  leases(): Lease[];
  /** Stops work on a job; which claim of it does not matter, for cancelled is for ever. */
  stopJob(jobId: string, reason: StopReason): void;
  stopLease(lease: Lease, reason: StopReason): void;
  /** Stops everything, also what is added later. */
  stopAll(reason: StopReason): void;
  /** Resolves when nothing is held. */
  empty(): Promise<void>;
}

export function createHeldJobs(onCount: (count: number) => void = () => {}): HeldJobs {
  const held = new Map<Lease, AbortController>();
  const waiting: (() => void)[] = [];
  let stoppedBy: StopReason | null = null;

  const stopWhere = (reason: StopReason, matches: (lease: Lease) => boolean) => {
    for (const [lease, stop] of held) if (matches(lease)) stop.abort(new WorkStopped(reason));
  };

  return {
    add(lease) {
      const stop = new AbortController();
      held.set(lease, stop);
      onCount(held.size);
      if (stoppedBy) stop.abort(new WorkStopped(stoppedBy));
      return {
        signal: stop.signal,
        remove() {
          held.delete(lease);
          onCount(held.size);
          if (held.size === 0) for (const resolve of waiting.splice(0)) resolve();
        },
      };
    },
    leases: () => [...held.keys()],
    stopJob: (jobId, reason) => stopWhere(reason, (lease) => lease.jobId === jobId),
    stopLease: (wanted, reason) =>
      stopWhere(reason, (lease) => lease.jobId === wanted.jobId && lease.epoch === wanted.epoch),
    stopAll(reason) {
      stoppedBy = reason;
      stopWhere(reason, () => true);
    },
    empty: () => (held.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
