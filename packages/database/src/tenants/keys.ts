import {
  generateKey,
  hashSecret,
  type KeyLimits,
  type ParsedKey,
  type Scope,
  type TenantLimits,
  uuidV7,
  type WebhookFormat,
} from "@scribe/domain";
import { type Database, inTransaction } from "../open-database.ts";

export interface KeyRow {
  id: string;
  publicId: string;
  tenantId: string;
  tenantDisabled: boolean;
  name: string;
  scopes: Scope[];
  limits: KeyLimits;
  tenantLimits: TenantLimits;
  secretHash: Uint8Array;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  lastUsedAt: Date | null;
  /** The user who made it, or whose key made it. */
  createdBy: string | null;
  /** Which API its callers know. */
  profile: string;
  /** How webhooks of its jobs look; null: as the operator says. */
  webhookFormat: WebhookFormat | null;
}

export interface NewKey {
  tenantId: string;
  name: string;
  scopes: readonly Scope[];
  expiresAt?: Date | null | undefined;
  limits?: KeyLimits | undefined;
  createdBy?: string | null | undefined;
  profile?: string | undefined;
  webhookFormat?: WebhookFormat | undefined;
  /** A key that the operator chose; else a new one. */
  key?: ParsedKey | undefined;
}

const WITH_TENANT = { tenant: { select: { disabledAt: true, limits: true } } } as const;

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
      createdBy: input.createdBy ?? null,
      profile: input.profile ?? "standard",
      webhookFormat: input.webhookFormat ?? null,
      secretHash: new Uint8Array(hashSecret(secret)),
    },
    include: WITH_TENANT,
  });
  return { ...toKeyRow(row), key: `sr_${publicId}_${secret}` };
}

/** A key by its public part, which is parameter 1. */
export const KEY_SELECT = `SELECT k.id, k.public_id AS "publicId", k.tenant_id AS "tenantId",
    t.disabled_at IS NOT NULL AS "tenantDisabled", k.name, k.scopes, k.limits, t.limits AS "tenantLimits",
    k.secret_hash AS "secretHash", k.created_at AS "createdAt", k.expires_at AS "expiresAt",
    k.revoked_at AS "revokedAt", k.last_used_at AS "lastUsedAt", k.created_by AS "createdBy",
    k.profile, k.webhook_format AS "webhookFormat"
  FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE k.public_id = $1`;

/** One indexed read a request: a revoked key is refused by every replica at once. */
export async function findKey(db: Database, publicId: string): Promise<KeyRow | null> {
  const { rows } = await db.pool.query<KeyRow>({ name: "find-key", text: KEY_SELECT, values: [publicId] });
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

/** For the operator alone: the keys of all tenants, by age; `after` is the last id of the page before. */
export async function listInstanceKeys(
  db: Database,
  { limit, after, tenantId }: { limit: number; after?: string | undefined; tenantId?: string | undefined },
): Promise<KeyRow[]> {
  const rows = await db.prisma.apiKey.findMany({
    where: { ...(tenantId === undefined ? {} : { tenantId }), ...(after === undefined ? {} : { id: { gt: after } }) },
    orderBy: { id: "asc" },
    take: limit,
    include: WITH_TENANT,
  });
  return rows.map(toKeyRow);
}

/** For the operator alone: the tenant whose key it was, or null where no such key still works. */
export async function revokeInstanceKey(db: Database, keyId: string): Promise<string | null> {
  const { rows } = await db.pool.query<{ tenant_id: string }>(
    "UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING tenant_id",
    [keyId],
  );
  return rows[0]?.tenant_id ?? null;
}

/** One of the tenant's keys, revoked ones too. */
export async function getKey(db: Database, tenantId: string, keyId: string): Promise<KeyRow | null> {
  const row = await db.prisma.apiKey.findFirst({ where: { id: keyId, tenantId }, include: WITH_TENANT });
  return row && toKeyRow(row);
}

/** False where the tenant has no such key that still works. */
export async function revokeKey(db: Database, tenantId: string, keyId: string): Promise<boolean> {
  const { count } = await db.prisma.apiKey.updateMany({
    where: { id: keyId, tenantId, revokedAt: null },
    data: { revokedAt: new Date() },
  });
  return count === 1;
}

/**
 * Makes a key that takes another's place: same name, scopes, limits and expiry. The old one works for `overlapSeconds`
 * more, or until its own end where that is sooner. Null where the tenant has no such key that still works.
 */
export async function rotateKey(
  db: Database,
  tenantId: string,
  keyId: string,
  overlapSeconds: number,
): Promise<{ made: KeyRow & { key: string }; oldExpiresAt: Date } | null> {
  const { publicId, secret } = generateKey();
  const newId = uuidV7();
  const oldExpiresAt = await inTransaction(db, async (client) => {
    // The new one is copied before the old one's end is set; the lock keeps a revocation from slipping in between.
    const { rows } = await client.query<{ until: Date }>(
      `WITH old AS (
         SELECT * FROM api_keys WHERE id = $1 AND tenant_id = $2 AND revoked_at IS NULL
           AND (expires_at IS NULL OR expires_at > now()) FOR UPDATE
       ), made AS (
         INSERT INTO api_keys (id, public_id, tenant_id, name, secret_hash, scopes, limits, expires_at, created_by, profile,
           webhook_format)
         SELECT $3, $4, tenant_id, name, $5, scopes, limits, expires_at, created_by, profile, webhook_format FROM old
       )
       UPDATE api_keys SET expires_at = least(api_keys.expires_at, now() + $6 * interval '1 second')
       FROM old WHERE api_keys.id = old.id RETURNING api_keys.expires_at AS until`,
      [keyId, tenantId, newId, publicId, hashSecret(secret), overlapSeconds],
    );
    return rows[0]?.until ?? null;
  });
  if (oldExpiresAt === null) return null;
  const made = await getKey(db, tenantId, newId);
  return made && { made: { ...made, key: `sr_${publicId}_${secret}` }, oldExpiresAt };
}

function toKeyRow(row: Record<string, unknown> & { tenant: { disabledAt: Date | null; limits: unknown } }): KeyRow {
  const { tenant, ...key } = row;
  return {
    ...(key as unknown as KeyRow),
    tenantDisabled: tenant.disabledAt !== null,
    tenantLimits: tenant.limits as TenantLimits,
  };
}
