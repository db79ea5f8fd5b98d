import { isDatabaseUnavailable, stillEnhancing } from "@scribe/database";
import type { Queues } from "@scribe/queue";
import { type EnhancementParts, enhanceOne } from "../enhance-one.ts";
import type { Role } from "./role.ts";

/** As with jobs: whoever cancels expects the slot to be free within two seconds. */
const LOOK_EVERY_MS = 1000;

/** Takes enhancements off their queue and asks the language model for them. */
export function startEnhancement(
  parts: EnhancementParts,
  { queues, concurrency }: { queues: Queues; concurrency: number },
): Role {
  const { held } = parts;
  const consumer = queues.consume("enhancement", {
    concurrency,
    handle: async (id) => {
      await enhanceOne(id, parts);
    },
  });
  const look = setInterval(() => void stopWhatIsNoLongerOurs(parts), LOOK_EVERY_MS);
  return {
    name: "enhancement",
    async drain() {
      await consumer.pause();
      await held.empty();
    },
    abort: () => held.stopAll("shutdown"),
    async close() {
      clearInterval(look);
      await consumer.close();
    },
  };
}

async function stopWhatIsNoLongerOurs({ db, held, log }: EnhancementParts): Promise<void> {
  const leases = held.leases();
  if (leases.length === 0) return;
  try {
    const ours = await stillEnhancing(db, leases);
    for (const lease of leases) if (!ours.has(lease.jobId)) held.stopLease(lease, "cancelled");
  } catch (error) {
    // Each lease's keeper decides how long Postgres may be away.
    if (!isDatabaseUnavailable(error)) log.error({ err: error }, "looking for cancelled enhancements failed");
  }
}
