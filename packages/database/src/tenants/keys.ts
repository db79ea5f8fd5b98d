import { generateKey, hashSecret, type ParsedKey, type Scope, uuidV7 } from "@scribe/domain";
import type { Database } from "../open-database.ts";

export interface KeyRow {
  id: string;
  publicId: string;
  tenantId: string;
  tenantDisabled: boolean;
  name: string;
  scopes: Scope[];
  limits: Record<string, unknown>;
  secretHash: Uint8Array;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  lastUsedAt: Date | null;
}

export interface NewKey {
  tenantId: string;
  name: string;
  scopes: readonly Scope[];
  expiresAt?: Date | null | undefined;
  limits?: Record<string, unknown> | undefined;
  /** A key that the operator chose; else a new one. */
  key?: ParsedKey | undefined;
}

const WITH_TENANT = { tenant: { select: { disabledAt: true } } } as const;

/** Makes a key; its text is returned here and never again. */
export async function createKey(db: Database, input: NewKey): Promise<KeyRow & { key: string }> {
  const { publicId, secret } = input.key ?? generateKey();
  const row = await db.prisma.apiKey.create({
    data: {
      id: uuidV7(),
      publicId,
      tenantId: input.tenantId,
      name: input.name,
      scopes: [...input.scopes],
      limits: (input.limits ?? {}) as never,
      expiresAt: input.expiresAt ?? null,
      secretHash: new Uint8Array(hashSecret(secret)),
    },
    include: WITH_TENANT,
  });
  return { ...toKeyRow(row), key: `sr_${publicId}_${secret}` };
}

/** One indexed read a request: a revoked key is refused by every replica at once. */
export async function findKey(db: Database, publicId: string): Promise<KeyRow | null> {
  const { rows } = await db.pool.query<KeyRow>({
    name: "find-key",
    text: `SELECT k.id, k.public_id AS "publicId", k.tenant_id AS "tenantId", t.disabled_at IS NOT NULL AS "tenantDisabled",
             k.name, k.scopes, k.limits, k.secret_hash AS "secretHash", k.created_at AS "createdAt",
             k.expires_at AS "expiresAt", k.revoked_at AS "revokedAt", k.last_used_at AS "lastUsedAt"
           FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE k.public_id = $1`,
    values: [publicId],
  });
  return rows[0] ?? null;
}

/** Notes that a key was used, at most once a minute. */
export async function touchKey(db: Database, keyId: string): Promise<void> {
  await db.pool.query({
    name: "touch-key",
    text: `UPDATE api_keys SET last_used_at = now()
           WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    values: [keyId],
  });
}

export async function listKeys(db: Database, tenantId: string): Promise<KeyRow[]> {
  const rows = await db.prisma.apiKey.findMany({
    where: { tenantId },
    orderBy: { createdAt: "asc" },
    include: WITH_TENANT,
  });
  return rows.map(toKeyRow);
}

/** False where the tenant has no such key that still works. */
export async function revokeKey(db: Database, tenantId: string, keyId: string): Promise<boolean> {
  const { count } = await db.prisma.apiKey.updateMany({
    where: { id: keyId, tenantId, revokedAt: null },
    data: { revokedAt: new Date() },
  });
  return count === 1;
}

function toKeyRow(row: Record<string, unknown> & { tenant: { disabledAt: Date | null } }): KeyRow {
  const { tenant, ...key } = row;
  return { ...(key as unknown as KeyRow), tenantDisabled: tenant.disabledAt !== null };
}
