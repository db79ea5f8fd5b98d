import { createHash } from "node:crypto";
import {
  type CacheableJob,
  cacheKeyOf,
  type Engine,
  type Identities,
  identityName,
  mayBeCached,
  SPEAKERS_IDENTITY,
} from "@scribe/domain";

/** What this worker knows of its models, for the keys under which results serve equal jobs. */
export interface ResultCache {
  /** Null where the job's result is not to be kept, or its key is not known. Reads the model where that is new. */
  keyOf(job: CacheableJob, audioSha256: string | null): Promise<string | null>;
  /** Of every model that was read so far. */
  identities(): Identities;
}

export interface ResultCacheOptions {
  engines: ReadonlyMap<string, { engine: Engine }>;
  /** All settings that decide who is heard speaking. */
  speakers: unknown;
}

export function createResultCache({ engines, speakers }: ResultCacheOptions): ResultCache {
  const settings = createHash("sha256").update(JSON.stringify(speakers)).digest("hex");
  const known: Record<string, string> = { [SPEAKERS_IDENTITY]: settings };
  return {
    async keyOf(job, audioSha256) {
      if (audioSha256 === null || !mayBeCached(job)) return null;
      const name = identityName(job.engine, job.model);
      if (known[name] === undefined) {
        const identity = (await engines.get(job.engine)?.engine.identityOf?.(job.model)) ?? null;
        if (identity !== null) known[name] = identity;
      }
      return cacheKeyOf(job, audioSha256, known);
    },
    identities: () => known,
  };
}
