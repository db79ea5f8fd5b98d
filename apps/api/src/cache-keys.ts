import { type Database, liveIdentities, type NewJob } from "@scribe/database";
import { cacheKeyOf, type Identities } from "@scribe/domain";

/** Under which keys an earlier result may answer a job, by what the live workers would do with it. */
export type FindCacheKeys = (
  job: Pick<NewJob, "engine" | "model" | "options" | "metadata" | "audioSha256">,
) => Promise<string[]>;

/** Workers say what they run as often as they show that they live. */
const KEEP_MS = 5_000;

export function createFindCacheKeys(db: Database): FindCacheKeys {
  let known: { identities: Identities[]; untilMs: number } = { identities: [], untilMs: 0 };
  return async (job) => {
    const { audioSha256 } = job;
    if (audioSha256 === undefined) return [];
    if (known.untilMs < performance.now()) {
      known = { identities: await liveIdentities(db), untilMs: performance.now() + KEEP_MS };
    }
    const keys = known.identities.map((identities) => cacheKeyOf(job, audioSha256, identities));
    return [...new Set(keys.filter((key) => key !== null))];
  };
}
