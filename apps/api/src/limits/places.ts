import { RequestError } from "@scribe/domain";

const RETRY_SECONDS = 5;

/** Places for what this replica does at once, so that no caller takes all of them. */
export interface Places {
  /** Takes a place until the returned function is called. Throws 503 where all are taken, 429 where the key's are. */
  take(keyId: string): () => void;
}

export interface PlacesOptions {
  max: number;
  maxPerKey: number;
  /** What a key has too many of: `uploads at once`. */
  what: string;
}

export function createPlaces({ max, maxPerKey, what }: PlacesOptions): Places {
  const perKey = new Map<string, number>();
  let taken = 0;
  return {
    take(keyId) {
      const ofKey = perKey.get(keyId) ?? 0;
      if (ofKey >= maxPerKey) {
        throw new RequestError("rate_limited", `A key has at most ${maxPerKey} ${what}.`, {
          retryAfterSeconds: RETRY_SECONDS,
        });
      }
      if (taken >= max) {
        throw new RequestError("service_unavailable", `There is no room for further ${what} just now.`, {
          retryAfterSeconds: RETRY_SECONDS,
        });
      }
      taken += 1;
      perKey.set(keyId, ofKey + 1);
      let given = false;
      return () => {
        if (given) return;
        given = true;
        taken -= 1;
        const left = (perKey.get(keyId) ?? 1) - 1;
        if (left > 0) perKey.set(keyId, left);
        else perKey.delete(keyId);
      };
    },
  };
}
