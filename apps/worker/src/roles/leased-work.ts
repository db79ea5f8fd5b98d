import { isDatabaseUnavailable, type Lease } from "@scribe/database";
import type { Queues } from "@scribe/queue";
import type { Logger } from "@scribe/telemetry";
import type { HeldJobs } from "../held-jobs.ts";
import type { StopReason } from "../work-stopped.ts";
import type { Role } from "./role.ts";

/** Notifications may get lost, and a renewal comes too late for "the slot is free within two seconds". */
const LOOK_EVERY_MS = 1000;

export interface LeasedWork {
  /** Of the role, and of its queue. */
  name: "transcription" | "enhancement";
  queues: Queues;
  concurrency: number;
  work: (id: string) => Promise<unknown>;
  /** Those of the leases that are no longer ours, and why. */
  findStopped: (leases: readonly Lease[]) => Promise<(readonly [Lease, StopReason])[]>;
}

/**
 * Takes rows off their queue, works on as many at once as there are places, and stops what somebody else has ended or taken.
 * `look` does that now.
 */
export function startLeasedWork(
  { held, log }: { held: HeldJobs; log: Logger },
  { name, queues, concurrency, work, findStopped }: LeasedWork,
): Role & { look(): Promise<void> } {
  const consumer = queues.consume(name, {
    concurrency,
    handle: async (id) => {
      await work(id);
    },
  });
  const look = async () => {
    const leases = held.leases();
    if (leases.length === 0) return;
    try {
      for (const [lease, reason] of await findStopped(leases)) held.stopLease(lease, reason);
    } catch (error) {
      // Each lease's keeper decides how long Postgres may be away.
      if (!isDatabaseUnavailable(error)) log.error({ err: error, role: name }, "looking for cancelled work failed");
    }
  };
  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  return {
    name,
    look,
    async drain() {
      await consumer.pause();
      await held.empty();
    },
    abort: () => held.stopAll("shutdown"),
    async close() {
      clearInterval(timer);
      await consumer.close();
    },
  };
}
