import { stillEnhancing } from "@scribe/database";
import type { Queues } from "@scribe/queue";
import { type EnhancementParts, enhanceOne } from "../enhance-one.ts";
import { startLeasedWork } from "./leased-work.ts";
import type { Role } from "./role.ts";

/** Takes enhancements off their queue and asks the language model for them. */
export function startEnhancement(
  parts: EnhancementParts,
  { queues, concurrency }: { queues: Queues; concurrency: number },
): Role {
  return startLeasedWork(parts, {
    name: "enhancement",
    queues,
    concurrency,
    work: (id) => enhanceOne(id, parts),
    async findStopped(leases) {
      const ours = await stillEnhancing(parts.db, leases);
      return leases.filter(({ jobId }) => !ours.has(jobId)).map((lease) => [lease, "cancelled"] as const);
    },
  });
}
