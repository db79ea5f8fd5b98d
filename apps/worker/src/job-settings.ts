import type { Config } from "@scribe/config";
import type { JobSettings } from "./attempt.ts";

const LEAST_TIME_LIMIT_MS = 600_000;
const FIRST_BACKOFF_SECONDS = 2;
const BACKOFF_GROWTH = 4;
const LONGEST_BACKOFF_SECONDS = 600;

/** What the configuration means for the steps of a job. */
export function jobSettings(config: Config, random: () => number = Math.random): JobSettings {
  const { jobs, http, outbound } = config;
  return {
    leaseSeconds: jobs.LEASE_SECONDS,
    maxAttempts: jobs.MAX_ATTEMPTS,
    timeLimitMs: (audioSeconds) => Math.max(LEAST_TIME_LIMIT_MS, jobs.JOB_TIMEOUT_FACTOR * audioSeconds * 1000),
    // 2 s, 8 s, 32 s …, up to half as long again, so that what failed together is not tried together.
    backoffSeconds: (attempt) => {
      const planned = Math.min(FIRST_BACKOFF_SECONDS * BACKOFF_GROWTH ** (attempt - 1), LONGEST_BACKOFF_SECONDS);
      return planned * (1 + random() / 2);
    },
    maxAudioSeconds: jobs.MAX_AUDIO_SECONDS,
    maxAudioBytes: http.MAX_UPLOAD_BYTES,
    decoderMemoryBytes: jobs.DECODER_MEMORY_BYTES,
    fetchTimeoutMs: outbound.FETCH_TIMEOUT_SECONDS * 1000,
    idleTimeoutMs: 30_000,
  };
}
