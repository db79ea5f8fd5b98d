import { z } from "zod";

const perMinute = z.int().min(1).max(10_000_000);
const seconds = z.int().min(1).max(1_000_000_000);

/** What a key may do at most, where that differs from the tenant's and the instance's limits. */
export const keyLimits = z.strictObject({
  reads_per_minute: perMinute.optional(),
  creates_per_minute: perMinute.optional(),
  event_streams: z.int().min(1).max(100_000).optional(),
});

/** What a tenant may do at most, where that differs from the instance's limits. */
export const tenantLimits = z.strictObject({
  reads_per_minute: perMinute.optional().meta({ description: "Of each of its keys" }),
  creates_per_minute: perMinute.optional().meta({ description: "Of each of its keys" }),
  concurrent_jobs: z.int().min(1).max(1_000_000).optional().meta({ description: "Jobs at work at once" }),
  queued_audio_seconds: seconds.optional().meta({ description: "Audio of all jobs that have not ended" }),
  daily_audio_seconds: seconds.optional().meta({ description: "Audio a day (UTC)" }),
});

export type KeyLimits = z.output<typeof keyLimits>;
export type TenantLimits = z.output<typeof tenantLimits>;
