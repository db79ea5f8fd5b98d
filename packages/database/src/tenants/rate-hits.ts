import type { Database } from "../open-database.ts";
import { KEY_SELECT, type KeyRow } from "./keys.ts";

/** How often a bucket was hit in its window, this hit included, and when the window ends. */
export interface Hit {
  hits: number;
  endsAt: Date;
}

/** A window begins with its first hit; the one statement counts for all replicas, and by the database's clock. */
const UPSERT = `ON CONFLICT (bucket) DO UPDATE SET
    hits = CASE WHEN rate_hits.ends_at <= now() THEN 1 ELSE rate_hits.hits + 1 END,
    ends_at = CASE WHEN rate_hits.ends_at <= now() THEN excluded.ends_at ELSE rate_hits.ends_at END
  RETURNING hits, ends_at AS "endsAt"`;

export async function countHit(db: Database, bucket: string, windowSeconds: number): Promise<Hit> {
  const { rows } = await db.pool.query<Hit>({
    name: "count-hit",
    text: `INSERT INTO rate_hits (bucket, hits, ends_at) VALUES ($1, 1, now() + $2 * interval '1 second') ${UPSERT}`,
    values: [bucket, windowSeconds],
  });
  return rows[0] as Hit;
}

/**
 * Looks a key up and, where the secret is the right one and the key opens something now, counts a hit of
 * `<budget>:<key's public id>`: one round trip for both. The caller still compares the secret itself.
 */
export async function findKeyCounting(
  db: Database,
  publicId: string,
  secretHash: Uint8Array,
  budget: string,
  windowSeconds: number,
): Promise<{ key: KeyRow | null; hit: Hit | null }> {
  const { rows } = await db.pool.query<KeyRow & { hits: number | null; endsAt: Date }>({
    name: "find-key-counting",
    text: `WITH found AS (${KEY_SELECT}), hit AS (
        INSERT INTO rate_hits (bucket, hits, ends_at)
        SELECT $3 || ':' || "publicId", 1, now() + $4 * interval '1 second' FROM found
        WHERE "secretHash" = $2 AND "revokedAt" IS NULL AND NOT "tenantDisabled" AND ("expiresAt" IS NULL OR "expiresAt" > now())
        ${UPSERT}
      ) SELECT found.*, hit.hits, hit."endsAt" FROM found LEFT JOIN hit ON true`,
    values: [publicId, secretHash, budget, windowSeconds],
  });
  const row = rows[0];
  if (!row) return { key: null, hit: null };
  const { hits, endsAt, ...key } = row;
  return { key, hit: hits === null ? null : { hits, endsAt } };
}

/** Forgets windows that have ended. */
export async function forgetHits(db: Database): Promise<void> {
  await db.pool.query("DELETE FROM rate_hits WHERE ends_at < now() - interval '1 minute'");
}
