import { type Role, type TenantLimits, uuidV7 } from "@scribe/domain";
import { type Database, inTransaction } from "../open-database.ts";

/** What a session opens on behalf of a tenant, now. */
export interface SessionAccess {
  userId: string;
  email: string;
  sessionId: string;
  tenantId: string;
  role: Role;
  tenantLimits: TenantLimits;
}

/** A session whose refresh tokens are passed on ends after this long all the same. */
const SESSION_DAYS = 90;
/** A refresh token that is not used ends its session. */
const REFRESH_DAYS = 30;

export type EndOfSession = "logout" | "reuse" | "password";

/** Opens a session on behalf of a tenant, with the hash of its first refresh token. Returns its id. */
export async function openSession(
  db: Database,
  { userId, tenantId, tokenHash }: { userId: string; tenantId: string; tokenHash: Uint8Array },
): Promise<string> {
  const id = uuidV7();
  await db.pool.query(
    `WITH made AS (
       INSERT INTO sessions (id, user_id, tenant_id, expires_at) VALUES ($1, $2, $3, now() + $5 * interval '1 day')
       RETURNING id, expires_at
     )
     INSERT INTO refresh_tokens (hash, session_id, expires_at)
     SELECT $4, id, least(expires_at, now() + $6 * interval '1 day') FROM made`,
    [id, userId, tenantId, tokenHash, SESSION_DAYS, REFRESH_DAYS],
  );
  return id;
}

/**
 * One indexed read a request, as for keys: a session that was ended, a user or a tenant that was disabled, and a membership
 * that was changed are seen by every replica at once. Null where the session opens nothing at all, `role` null where the
 * user does not belong to the tenant, or that is disabled.
 */
export async function findSession(
  db: Database,
  { sessionId, userId, tenantId }: { sessionId: string; userId: string; tenantId: string },
): Promise<SessionAccess | "not a member" | null> {
  const { rows } = await db.pool.query<Omit<SessionAccess, "role"> & { role: Role | null }>({
    name: "find-session",
    text: `SELECT s.user_id AS "userId", u.email, s.id AS "sessionId", t.id AS "tenantId", m.role,
        t.limits AS "tenantLimits"
      FROM sessions s JOIN users u ON u.id = s.user_id
      LEFT JOIN tenants t ON t.id = $3 AND t.disabled_at IS NULL
      LEFT JOIN memberships m ON m.user_id = s.user_id AND m.tenant_id = t.id
      WHERE s.id = $1 AND s.user_id = $2 AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL`,
    values: [sessionId, userId, tenantId],
  });
  const found = rows[0];
  if (found === undefined) return null;
  return found.role === null ? "not a member" : { ...found, role: found.role };
}

export interface Rotation {
  tokenHash: Uint8Array;
  successorHash: Uint8Array;
  /** Whoever shows a token this soon after it was used cannot have seen the answer to that: it asked at the same time. */
  overlapMs: number;
}

/** `reused`: the token was used before, so one of the two who had it stole it, and the session is ended. */
export type Rotated =
  | { kind: "rotated"; sessionId: string; userId: string; tenantId: string; usedAt: Date }
  | { kind: "reused"; sessionId: string; userId: string; tenantId: string }
  | { kind: "invalid" };

interface TokenRow {
  sessionId: string;
  userId: string;
  tenantId: string;
  usedAt: Date | null;
  open: boolean;
  alive: boolean;
  concurrent: boolean;
}

/**
 * Passes a refresh token on. The session's row is locked, so that of two who show one token one comes after the other;
 * within the overlap both get the successor, as long as nobody has used that.
 */
export async function rotateRefreshToken(db: Database, rotation: Rotation): Promise<Rotated> {
  const { tokenHash, successorHash, overlapMs } = rotation;
  return await inTransaction(db, async (client) => {
    await client.query(
      "SELECT 1 FROM sessions WHERE id = (SELECT session_id FROM refresh_tokens WHERE hash = $1) FOR UPDATE",
      [tokenHash],
    );
    // A statement of its own: it sees what whoever held the lock has written.
    const { rows } = await client.query<TokenRow>(
      `SELECT s.id AS "sessionId", s.user_id AS "userId", s.tenant_id AS "tenantId", r.used_at AS "usedAt",
         s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL AS open, r.expires_at > now() AS alive,
         r.used_at > clock_timestamp() - $3 * interval '1 millisecond'
           AND EXISTS (SELECT 1 FROM refresh_tokens n WHERE n.hash = $2 AND n.used_at IS NULL) AS concurrent
       FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id
       WHERE r.hash = $1`,
      [tokenHash, successorHash, overlapMs],
    );
    const found = rows[0];
    if (found === undefined || !found.open) return { kind: "invalid" };
    const { sessionId, userId, tenantId, usedAt } = found;
    if (usedAt !== null && found.concurrent) return { kind: "rotated", sessionId, userId, tenantId, usedAt };
    if (usedAt !== null) {
      await client.query("UPDATE sessions SET revoked_at = now(), why = 'reuse' WHERE id = $1", [sessionId]);
      return { kind: "reused", sessionId, userId, tenantId };
    }
    if (!found.alive) return { kind: "invalid" };
    const { rows: used } = await client.query<{ at: Date }>(
      "UPDATE refresh_tokens SET used_at = clock_timestamp() WHERE hash = $1 RETURNING used_at AS at",
      [tokenHash],
    );
    await client.query(
      `INSERT INTO refresh_tokens (hash, session_id, expires_at)
       SELECT $1, id, least(expires_at, now() + $3 * interval '1 day') FROM sessions WHERE id = $2`,
      [successorHash, sessionId, REFRESH_DAYS],
    );
    return { kind: "rotated", sessionId, userId, tenantId, usedAt: used[0]?.at ?? new Date() };
  });
}

/** From the next refresh on, the session speaks for another tenant of its user. */
export async function moveSession(db: Database, sessionId: string, tenantId: string): Promise<void> {
  await db.pool.query("UPDATE sessions SET tenant_id = $2 WHERE id = $1", [sessionId, tenantId]);
}

/** Whose session a refresh token is of, used or not; null where it is of none that is open. */
export async function sessionOfToken(
  db: Database,
  tokenHash: Uint8Array,
): Promise<{ sessionId: string; userId: string; tenantId: string } | null> {
  const { rows } = await db.pool.query<{ sessionId: string; userId: string; tenantId: string }>(
    `SELECT s.id AS "sessionId", s.user_id AS "userId", s.tenant_id AS "tenantId"
     FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id WHERE r.hash = $1 AND s.revoked_at IS NULL`,
    [tokenHash],
  );
  return rows[0] ?? null;
}

/** Ends one session of a user, or with `all` every one, or with `but` every other one. Returns how many ended. */
export async function endSessions(
  db: Database,
  {
    userId,
    why,
    ...which
  }: { userId: string; why: EndOfSession } & ({ only: string } | { but: string } | { all: true }),
): Promise<number> {
  const only = "only" in which ? which.only : null;
  const but = "but" in which ? which.but : null;
  const { rowCount } = await db.pool.query(
    `UPDATE sessions SET revoked_at = now(), why = $2 WHERE user_id = $1 AND revoked_at IS NULL
       AND ($3::uuid IS NULL OR id = $3) AND ($4::uuid IS NULL OR id <> $4)`,
    [userId, why, only, but],
  );
  return rowCount ?? 0;
}
