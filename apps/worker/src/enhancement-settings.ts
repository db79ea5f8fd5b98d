import type { Config } from "@scribe/config";
import type { ChatEndpoint } from "@scribe/enhancement";
import type { EnhancementSettings } from "./enhance-one.ts";

/** One question may be asked this often, in as many forms as an endpoint knows. */
const REQUESTS_A_QUESTION = 6;
/** In a row, without an answer that was kept. */
const MAX_FAILURES = 5;
const FIRST_BACKOFF_SECONDS = 2;
const BACKOFF_GROWTH = 4;
const LONGEST_BACKOFF_SECONDS = 600;

/** What the configuration means for enhancements. */
export function enhancementSettings(
  { jobs, enhancement }: Config,
  chat: ChatEndpoint,
  random: () => number = Math.random,
): EnhancementSettings {
  return {
    chat,
    contextTokens: enhancement.ENHANCED_AI_CONTEXT_TOKENS,
    leaseSeconds: jobs.LEASE_SECONDS,
    questionLimitMs: enhancement.ENHANCED_AI_TIMEOUT_SECONDS * 1000 * REQUESTS_A_QUESTION,
    retry: {
      maxFailures: MAX_FAILURES,
      // 2 s, 8 s, 32 s …, up to half as long again, so that what failed together is not tried together.
      backoffSeconds: (failure) => {
        const planned = Math.min(FIRST_BACKOFF_SECONDS * BACKOFF_GROWTH ** (failure - 1), LONGEST_BACKOFF_SECONDS);
        return planned * (1 + random() / 2);
      },
    },
  };
}
