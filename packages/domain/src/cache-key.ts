import { createHash } from "node:crypto";
import type { TranscriptionOptions } from "./job-options.ts";

/** Changed whenever the same input should give another result, or another form of it. */
const FORM = 1;

/** What decides the text of each model that is at hand, beside audio and options: `engine model` → hash; `speakers` too. */
export type Identities = Readonly<Record<string, string>>;

/** Of what tells speakers apart. */
export const SPEAKERS_IDENTITY = "speakers";

export function identityName(engine: string, model: string): string {
  return `${engine} ${model}`;
}

export interface CacheableJob {
  engine: string;
  model: string;
  options: TranscriptionOptions;
  metadata: Record<string, unknown>;
}

/**
 * Whether a job may be answered with an earlier result, and its own may answer others. Rehearsals only where they ask for
 * it; with a lexicon only where its version is known, for it changes under its name.
 */
export function mayBeCached({ engine, options }: Pick<CacheableJob, "engine" | "options">): boolean {
  return (
    (options.cache ?? engine !== "synthetic") &&
    (options.lexicon === undefined || options.lexicon_version !== undefined)
  );
}

/**
 * SHA-256, hex, of all that decides a result: audio, engine, model, every option, and what runs them. Null where that is
 * not known, or the job is not to be cached.
 */
export function cacheKeyOf(job: CacheableJob, audioSha256: string | null, identities: Identities): string | null {
  const { engine, model, options, metadata } = job;
  const identity = identities[identityName(engine, model)];
  const speakers = options.diarize ? identities[SPEAKERS_IDENTITY] : "none";
  if (!mayBeCached(job) || audioSha256 === null || identity === undefined || speakers === undefined) return null;
  // What is made of a transcript afterwards decides nothing about it.
  const { cache: _, enhance: __, ...decisive } = options;
  if (decisive.language === "auto") delete decisive.language;
  const script = engine === "synthetic" ? (metadata.synthetic ?? null) : null;
  const parts = [FORM, audioSha256.trim(), engine, model, identity, speakers, sortKeys(decisive), script];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Objects with their keys in order, so that the same options give the same JSON. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sortKeys(item)]));
}
