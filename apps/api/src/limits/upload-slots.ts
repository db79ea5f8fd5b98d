import { RequestError } from "@scribe/domain";

const RETRY_SECONDS = 5;

/** Places for uploads that this replica receives at once. */
export interface UploadSlots {
  /** Takes a place until the returned function is called. Throws 503 where all are taken, 429 where the key's are. */
  take(keyId: string): () => void;
}

export function createUploadSlots(o: { max: number; maxPerKey: number }): UploadSlots {
  const perKey = new Map<string, number>();
  let taken = 0;
  return {
    take(keyId) {
      const ofKey = perKey.get(keyId) ?? 0;
      if (ofKey >= o.maxPerKey) {
        throw new RequestError("rate_limited", `A key sends at most ${o.maxPerKey} uploads at once.`, {
          retryAfterSeconds: RETRY_SECONDS,
        });
      }
      if (taken >= o.max) {
        throw new RequestError("service_unavailable", "No further upload can be received just now.", {
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
