import { type Database, findKey, findKeyCounting, type Hit, type KeyRow } from "@scribe/database";
import { hashSecret, type ParsedKey, secretMatches } from "@scribe/domain";
import type { Request } from "express";
import { keyShownAt } from "../http/compat/door.ts";
import { doorOf } from "../http/compat/doors.ts";
import { type HitCounter, WINDOW_SECONDS } from "./hit-counter.ts";
import { isLate } from "./wait-for-store.ts";

/** Compared with where there is no such key, so that both cases take as long. */
const NOBODY = new Uint8Array(32);
/** Keys whose secret was right once on this replica. */
const PROVEN_KEPT = 10_000;

export interface FoundKey {
  key: KeyRow;
  /** Null where the store could not count. */
  hit: Hit | null;
}

/** The key that was shown, where its secret is right; what it may do now is another question. */
export type LookUpKey = (shown: ParsedKey, budget: string) => Promise<FoundKey | null>;

/**
 * Looks a key up and counts its hit in one round trip: one statement where Postgres counts, else both at once. Nothing
 * is kept of what a key may do, so that a revoked key is refused at once by every replica; only that a secret was right,
 * which never changes, is remembered: nobody without the secret can use up a key's budget.
 */
export function createKeyLookup(db: Database, counter: HitCounter): LookUpKey {
  const proven = new Map<string, string>();

  const countAlone = (bucket: string): Promise<Hit | null> => counter.count(bucket).catch(() => null);

  return async ({ publicId, secret }, budget) => {
    const bucket = `${budget}:${publicId}`;
    const hash = hashSecret(secret);
    const isRight = (key: KeyRow | null): key is KeyRow =>
      secretMatches(secret, key?.secretHash ?? NOBODY) && key !== null;

    if (counter.countsWithLookup) {
      const { key, hit } = await withoutWaiting(
        findKeyCounting(db, publicId, hash, budget, WINDOW_SECONDS),
        async () => ({ key: await findKey(db, publicId), hit: null }),
      );
      return isRight(key) ? { key, hit } : null;
    }
    const name = hash.toString("base64");
    const early = proven.get(publicId) === name ? countAlone(bucket) : null;
    const key = await findKey(db, publicId);
    if (!isRight(key)) return null;
    if (early === null) {
      if (proven.size >= PROVEN_KEPT) proven.clear();
      proven.set(publicId, name);
    }
    return { key, hit: await (early ?? countAlone(bucket)) };
  };
}

/** What `first` gives; where it fails or is slow (its row is locked), whatever `second` or it gives sooner. */
async function withoutWaiting<T>(first: Promise<T>, second: () => Promise<T>): Promise<T> {
  if (await isLate(first)) return await Promise.any([first, second()]);
  return await first.catch(second);
}

/** The key that a request shows, or null where there is none that is well-formed. */
export function shownKey(request: Request): string | null {
  const door = doorOf(request.path);
  if (door) return keyShownAt(door, request);
  const match = /^Bearer +(\S+) *$/i.exec(request.get("authorization") ?? "");
  return match?.[1] ?? request.get("x-api-key")?.trim() ?? null;
}
