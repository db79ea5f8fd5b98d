import type { Config } from "@scribe/config";
import type { Allowance, KeyRow } from "@scribe/database";
import type { KeyLimits, TenantLimits } from "@scribe/domain";

/** What a key may do at most: its own limits, else its tenant's, else the instance's. */
export interface EffectiveLimits {
  readsPerMinute: number;
  createsPerMinute: number;
  eventStreams: number;
  allowance: Allowance;
}

export function effectiveLimits(config: Config, own: KeyLimits, tenant: TenantLimits): EffectiveLimits {
  const { limits, http } = config;
  return {
    readsPerMinute: own.reads_per_minute ?? tenant.reads_per_minute ?? limits.RATE_LIMIT_READS,
    createsPerMinute: own.creates_per_minute ?? tenant.creates_per_minute ?? limits.RATE_LIMIT_CREATES,
    eventStreams: own.event_streams ?? http.MAX_STREAMS_PER_KEY,
    allowance: {
      queuedAudioSeconds: tenant.queued_audio_seconds ?? orNone(limits.MAX_QUEUED_AUDIO_SECONDS),
      dailyAudioSeconds: tenant.daily_audio_seconds ?? orNone(limits.MAX_DAILY_AUDIO_SECONDS),
    },
  };
}

export function limitsOfKey(config: Config, key: KeyRow): EffectiveLimits {
  return effectiveLimits(config, key.limits, key.tenantLimits);
}

function orNone(setting: number): number | undefined {
  return setting === 0 ? undefined : setting;
}
