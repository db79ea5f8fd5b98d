import { lookAtLeases } from "@scribe/database";
import type { Queues } from "@scribe/queue";
import type { WorkerParts } from "../attempt.ts";
import { processJob } from "../process-job.ts";
import { startLeasedWork } from "./leased-work.ts";
import type { Role } from "./role.ts";

/** Takes jobs off the queue and works on them, as many at once as there are slots. */
export function startTranscription(
  parts: WorkerParts,
  { queues, concurrency }: { queues: Queues; concurrency: number },
): Role {
  const { db, held, notifications } = parts;
  const role = startLeasedWork(parts, {
    name: "transcription",
    queues,
    concurrency,
    work: (jobId) => processJob(jobId, parts),
    async findStopped(leases) {
      const states = await lookAtLeases(db, leases);
      return leases.flatMap((lease) => {
        const state = states.get(lease.jobId);
        return state === "cancelled" || state === "lost" ? [[lease, state] as const] : [];
      });
    },
  });
  const unsubscribe = notifications.onCancel((jobId) => {
    if (jobId === null) void role.look();
    else held.stopJob(jobId, "cancelled");
  });
  return {
    ...role,
    async close() {
      unsubscribe();
      await role.close();
    },
  };
}
