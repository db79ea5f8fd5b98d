import { type DeliveryResult, isSuccess } from "./deliver-once.ts";

export type DeliveryOutcome = "delivered" | "failed" | "gone" | { retryInSeconds: number };

const LONGEST_RETRY_AFTER_SECONDS = 86_400;

/** Up to a tenth later than planned, so that what failed together is not tried together. */
const JITTER = 0.1;

/**
 * What comes of a try.
 *
 * @param triesBefore tries that were written down before this one
 * @param scheduleSeconds wait before each further try; when it is used up, the delivery has failed
 */
export function decideOutcome(
  { status, retryAfterSeconds = 0 }: DeliveryResult,
  triesBefore: number,
  scheduleSeconds: readonly number[],
  random: () => number = Math.random,
): DeliveryOutcome {
  if (isSuccess(status)) return "delivered";
  // The receiver says that it wants no more: its endpoint is disabled.
  if (status === 410) return "gone";
  const planned = scheduleSeconds[triesBefore];
  if (planned === undefined) return "failed";
  const asked = Math.min(retryAfterSeconds, LONGEST_RETRY_AFTER_SECONDS);
  return { retryInSeconds: Math.max(planned * (1 + JITTER * random()), asked) };
}
