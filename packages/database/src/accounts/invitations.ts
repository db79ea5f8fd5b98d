import { type Role, uuidV7 } from "@scribe/domain";
import type { PoolClient } from "pg";
import type { Database } from "../open-database.ts";

export interface InvitationRow {
  id: string;
  email: string;
  role: Role;
  createdAt: Date;
  expiresAt: Date;
}

const INVITATION = `id, email, role, created_at AS "createdAt", expires_at AS "expiresAt"`;

/** A tenant's invitations that wait to be accepted. */
export function tenantInvitations(db: Database, tenantId: string) {
  return {
    async create(o: { email: string; role: Role; tokenHash: Uint8Array; expiresAt: Date }): Promise<InvitationRow> {
      const { rows } = await db.pool.query<InvitationRow>(
        `INSERT INTO invitations (id, tenant_id, email, role, token_hash, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING ${INVITATION}`,
        [uuidV7(), tenantId, o.email, o.role, o.tokenHash, o.expiresAt],
      );
      return rows[0] as InvitationRow;
    },

    async list(): Promise<InvitationRow[]> {
      const { rows } = await db.pool.query<InvitationRow>(
        `SELECT ${INVITATION} FROM invitations WHERE tenant_id = $1 AND accepted_at IS NULL AND expires_at > now()
         ORDER BY id LIMIT 1000`,
        [tenantId],
      );
      return rows;
    },

    /** What was withdrawn, or null where there is none that waits. */
    async withdraw(id: string): Promise<InvitationRow | null> {
      const { rows } = await db.pool.query<InvitationRow>(
        `DELETE FROM invitations WHERE id = $1 AND tenant_id = $2 AND accepted_at IS NULL RETURNING ${INVITATION}`,
        [id, tenantId],
      );
      return rows[0] ?? null;
    },
  };
}

/** Uses an invitation up. Null where it is unknown, used, over, for another address, or of a disabled tenant. */
export async function takeInvitation(
  client: PoolClient,
  tokenHash: Uint8Array,
  email: string,
): Promise<{ tenantId: string; role: Role } | null> {
  const { rows } = await client.query<{ tenantId: string; role: Role }>(
    `UPDATE invitations i SET accepted_at = now() FROM tenants t
     WHERE i.token_hash = $1 AND i.email = $2 AND i.accepted_at IS NULL AND i.expires_at > now()
       AND t.id = i.tenant_id AND t.disabled_at IS NULL
     RETURNING i.tenant_id AS "tenantId", i.role`,
    [tokenHash, email],
  );
  return rows[0] ?? null;
}
