import { type Role, uuidV7 } from "@scribe/domain";
import type { PoolClient } from "pg";
import { type Database, inTransaction } from "../open-database.ts";
import { newWebhookSecret } from "../tenants/tenants.ts";
import { takeInvitation } from "./invitations.ts";

export interface UserRow {
  id: string;
  /** Normalised. */
  email: string;
  name: string | null;
  passwordHash: string;
  createdAt: Date;
  disabledAt: Date | null;
}

/** A tenant that a user belongs to. */
export interface UserTenant {
  id: string;
  name: string;
  role: Role;
}

export interface NewUser {
  email: string;
  name?: string | undefined;
  passwordHash: string;
  /** Of an invitation's token: the user joins that tenant; else gets one of its own. */
  invitation?: Uint8Array | undefined;
}

const USER = `id, email, name, password_hash AS "passwordHash", created_at AS "createdAt", disabled_at AS "disabledAt"`;

/**
 * Makes a user and its first membership: of the tenant that invited, else of a new one, as its owner. `taken`: there is an
 * account of this address. `uninvited`: the invitation is not one that holds now, or names another address.
 */
export async function createUser(
  db: Database,
  { email, name, passwordHash, invitation }: NewUser,
): Promise<{ user: UserRow; tenantId: string } | "taken" | "uninvited"> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<UserRow>(
      `INSERT INTO users (id, email, name, password_hash) VALUES ($1, $2, $3, $4)
       ON CONFLICT (email) DO NOTHING RETURNING ${USER}`,
      [uuidV7(), email, name ?? null, passwordHash],
    );
    const user = rows[0];
    if (user === undefined) return "taken";
    if (invitation === undefined) {
      const tenantId = await createTenantFor(client, db, user.id);
      await join(client, tenantId, user.id, "owner");
      return { user, tenantId };
    }
    const taken = await takeInvitation(client, invitation, email);
    if (taken === null) throw new Uninvited();
    await join(client, taken.tenantId, user.id, taken.role);
    return { user, tenantId: taken.tenantId };
  }).catch((error: unknown) => {
    if (error instanceof Uninvited) return "uninvited";
    throw error;
  });
}

/** Rolls the user back who came with it. */
class Uninvited extends Error {}

/** The user joins the tenant that invited. Null where the invitation does not hold, or names another address. */
export async function acceptInvitation(
  db: Database,
  { user, invitation }: { user: Pick<UserRow, "id" | "email">; invitation: Uint8Array },
): Promise<{ tenantId: string; role: Role } | null> {
  return await inTransaction(db, async (client) => {
    const taken = await takeInvitation(client, invitation, user.email);
    if (taken !== null) await join(client, taken.tenantId, user.id, taken.role);
    return taken;
  });
}

/** Names of tenants are the instance's, and unique: one that users choose would tell which there are. */
async function createTenantFor(client: PoolClient, db: Database, userId: string): Promise<string> {
  const id = uuidV7();
  await client.query("INSERT INTO tenants (id, name, webhook_secret_encrypted) VALUES ($1, $2, $3)", [
    ...[id, `account-${userId}`, db.secrets.encrypt(newWebhookSecret())],
  ]);
  return id;
}

/** Who is a member already keeps its role: an invitation never takes anything away. */
async function join(client: PoolClient, tenantId: string, userId: string, role: Role): Promise<void> {
  await client.query(
    "INSERT INTO memberships (tenant_id, user_id, role) VALUES ($1, $2, $3) ON CONFLICT (tenant_id, user_id) DO NOTHING",
    [tenantId, userId, role],
  );
}

export async function findUser(db: Database, email: string): Promise<UserRow | null> {
  const { rows } = await db.pool.query<UserRow>({
    name: "find-user",
    text: `SELECT ${USER} FROM users WHERE email = $1`,
    values: [email],
  });
  return rows[0] ?? null;
}

export async function getUser(db: Database, id: string): Promise<UserRow | null> {
  const { rows } = await db.pool.query<UserRow>(`SELECT ${USER} FROM users WHERE id = $1`, [id]);
  return rows[0] ?? null;
}

/** The tenants a user belongs to that are not disabled, the oldest membership first. */
export async function tenantsOfUser(db: Database, userId: string): Promise<UserTenant[]> {
  const { rows } = await db.pool.query<UserTenant>(
    `SELECT t.id, t.name, m.role FROM memberships m JOIN tenants t ON t.id = m.tenant_id
     WHERE m.user_id = $1 AND t.disabled_at IS NULL ORDER BY m.created_at, t.id`,
    [userId],
  );
  return rows;
}

/** Writes a new hash, where the one before is still the one it takes the place of. */
export async function replacePasswordHash(
  db: Database,
  { userId, before, after }: { userId: string; before: string; after: string },
): Promise<boolean> {
  const { rowCount } = await db.pool.query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2", [
    ...[userId, before, after],
  ]);
  return rowCount === 1;
}

/** For the operator alone: all users, by age; `after` is the last id of the page before. */
export async function listUsers(
  db: Database,
  { limit, after, email }: { limit: number; after?: string | undefined; email?: string | undefined },
): Promise<UserRow[]> {
  const { rows } = await db.pool.query<UserRow>(
    `SELECT ${USER} FROM users WHERE ($2::uuid IS NULL OR id > $2) AND ($3::text IS NULL OR email = $3)
     ORDER BY id LIMIT $1`,
    [limit, after ?? null, email ?? null],
  );
  return rows;
}

/** For the operator alone. A disabled user's sessions and keys end now. Null where there is no such user. */
export async function disableUser(db: Database, userId: string, disabled: boolean): Promise<UserRow | null> {
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<UserRow>(
      `UPDATE users SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END WHERE id = $1 RETURNING ${USER}`,
      [userId, disabled],
    );
    if (disabled) {
      await client.query(
        "UPDATE sessions SET revoked_at = now(), why = 'disabled' WHERE user_id = $1 AND revoked_at IS NULL",
        [userId],
      );
      await client.query("UPDATE api_keys SET revoked_at = now() WHERE created_by = $1 AND revoked_at IS NULL", [
        userId,
      ]);
    }
    return rows[0] ?? null;
  });
}
