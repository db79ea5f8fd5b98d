import type { TenantJobs } from "@scribe/database";

/** Speech at a usual bit rate; decoding replaces the estimate by the truth. */
const BYTES_PER_SECOND = 16_000;
const KEEP_MS = 30_000;

export function audioSecondsOfUpload(bytes: number): number {
  return bytes / BYTES_PER_SECOND;
}

export type EstimateAudioSeconds = (tenantId: string, jobs: TenantJobs) => Promise<number>;

/** The tenant's usual length, asked at most twice a minute: it moves slowly, and each accepted URL needs it. */
export function createEstimate(): EstimateAudioSeconds {
  const known = new Map<string, { seconds: number; untilMs: number }>();
  return async (tenantId, jobs) => {
    const before = known.get(tenantId);
    if (before && before.untilMs > Date.now()) return before.seconds;
    const seconds = await jobs.estimateAudioSeconds();
    known.set(tenantId, { seconds, untilMs: Date.now() + KEEP_MS });
    return seconds;
  };
}
