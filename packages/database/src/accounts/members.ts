import { ROLE_SCOPES, type Role } from "@scribe/domain";
import type { PoolClient } from "pg";
import { type Database, inTransaction } from "../open-database.ts";

export interface MemberRow {
  userId: string;
  email: string;
  name: string | null;
  role: Role;
  createdAt: Date;
}

export type Change = { before: Role; member: MemberRow; revokedKeys: number };

/** `not allowed`: the member is an owner, and `owners`, whether owners may be touched, is false. */
export type Refused = "last owner" | "not allowed" | null;

const MEMBER = `SELECT m.user_id AS "userId", u.email, u.name, m.role, m.created_at AS "createdAt"
  FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = $1`;

/** Whoever belongs to a tenant. Those who hand out what they lack are stopped before. */
export function tenantMembers(db: Database, tenantId: string) {
  const get = async (client: Pick<PoolClient, "query">, userId: string): Promise<MemberRow | null> =>
    (await client.query<MemberRow>(`${MEMBER} AND m.user_id = $2`, [tenantId, userId])).rows[0] ?? null;

  /** Locks the tenant's owners in one order, so that two of them cannot both be the last to leave. */
  const isLastOwner = async (client: PoolClient, userId: string): Promise<boolean> => {
    const { rows } = await client.query<{ userId: string }>(
      `SELECT user_id AS "userId" FROM memberships WHERE tenant_id = $1 AND role = 'owner' ORDER BY user_id FOR UPDATE`,
      [tenantId],
    );
    return rows.length === 1 && rows[0]?.userId === userId;
  };

  return {
    get: (userId: string) => get(db.pool, userId),

    /** The longest member first. */
    async list(): Promise<MemberRow[]> {
      const { rows } = await db.pool.query<MemberRow>(`${MEMBER} ORDER BY m.created_at, m.user_id LIMIT 1000`, [
        tenantId,
      ]);
      return rows;
    },

    /** Keys that the member made, and that its new role could not make, are revoked with it. */
    async changeRole(userId: string, role: Role, { owners }: { owners: boolean }): Promise<Change | Refused> {
      return await inTransaction(db, async (client) => {
        const last = await isLastOwner(client, userId);
        const before = await get(client, userId);
        if (before === null) return null;
        if (before.role === "owner" && !owners) return "not allowed";
        if (last && role !== "owner") return "last owner";
        await client.query("UPDATE memberships SET role = $3 WHERE tenant_id = $1 AND user_id = $2", [
          ...[tenantId, userId, role],
        ]);
        const revokedKeys = await revokeKeysBeyond(client, { tenantId, userId, role });
        return { before: before.role, member: { ...before, role }, revokedKeys };
      });
    },

    /** With the member go all keys that it made. */
    async remove(userId: string, { owners }: { owners: boolean }): Promise<Change | Refused> {
      return await inTransaction(db, async (client) => {
        const last = await isLastOwner(client, userId);
        const member = await get(client, userId);
        if (member === null) return null;
        if (member.role === "owner" && !owners) return "not allowed";
        if (last) return "last owner";
        await client.query("DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2", [tenantId, userId]);
        const revokedKeys = await revokeKeysBeyond(client, { tenantId, userId, role: null });
        return { before: member.role, member, revokedKeys };
      });
    },
  };
}

/** Those a user made, by itself or through a key of its own, with a scope that its role lacks. */
async function revokeKeysBeyond(
  client: PoolClient,
  { tenantId, userId, role }: { tenantId: string; userId: string; role: Role | null },
): Promise<number> {
  const scopes: readonly string[] = role === null ? [] : ROLE_SCOPES[role];
  const allowed = scopes.includes("transcribe") ? [...scopes, "read"] : scopes;
  const { rowCount } = await client.query(
    `UPDATE api_keys SET revoked_at = now()
     WHERE tenant_id = $1 AND created_by = $2 AND revoked_at IS NULL AND NOT scopes <@ $3::text[]`,
    [tenantId, userId, allowed],
  );
  return rowCount ?? 0;
}
