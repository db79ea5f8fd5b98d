import { isDatabaseUnavailable, lookAtLeases } from "@scribe/database";
import type { Queues } from "@scribe/queue";
import type { WorkerParts } from "../attempt.ts";
import { processJob } from "../process-job.ts";
import type { Role } from "./role.ts";

/** Notifications may get lost, and a renewal comes too late for "the slot is free within two seconds". */
const LOOK_EVERY_MS = 1000;

/** Takes jobs off the queue and works on them, as many at once as there are slots. */
export function startTranscription(
  parts: WorkerParts,
  { queues, concurrency }: { queues: Queues; concurrency: number },
): Role {
  const { held, notifications } = parts;
  const consumer = queues.consume("transcription", {
    concurrency,
    handle: async (jobId) => {
      await processJob(jobId, parts);
    },
  });
  const unsubscribe = notifications.onCancel((jobId) => {
    if (jobId === null) void stopWhatIsNoLongerOurs(parts);
    else held.stopJob(jobId, "cancelled");
  });
  const look = setInterval(() => void stopWhatIsNoLongerOurs(parts), LOOK_EVERY_MS);

  return {
    name: "transcription",
    async drain() {
      await consumer.pause();
      await held.empty();
    },
    abort: () => held.stopAll("shutdown"),
    async close() {
      clearInterval(look);
      unsubscribe();
      await consumer.close();
    },
  };
}

async function stopWhatIsNoLongerOurs({ db, held, log }: WorkerParts): Promise<void> {
  const leases = held.leases();
  if (leases.length === 0) return;
  try {
    const states = await lookAtLeases(db, leases);
    for (const lease of leases) {
      const state = states.get(lease.jobId);
      if (state === "cancelled" || state === "lost") held.stopLease(lease, state);
    }
  } catch (error) {
    // Each lease's keeper decides how long Postgres may be away.
    if (!isDatabaseUnavailable(error)) log.error({ err: error }, "looking for cancelled jobs failed");
  }
}
