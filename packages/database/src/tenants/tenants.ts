import { randomBytes } from "node:crypto";
import { type TenantLimits, uuidV7 } from "@scribe/domain";
import type { Database } from "../open-database.ts";

export interface TenantRow {
  id: string;
  name: string;
  disabledAt: Date | null;
  limits: TenantLimits;
}

const SELECT = { id: true, name: true, disabledAt: true, limits: true } as const;

/** Finds a tenant by name, or makes it with a webhook secret of its own (or the one given). */
export async function ensureTenant(db: Database, name: string, webhookSecret?: string): Promise<TenantRow> {
  const found = await db.prisma.tenant.findUnique({ where: { name }, select: SELECT });
  if (found) return found as TenantRow;
  const secret = webhookSecret ?? newWebhookSecret();
  // Two processes that start at once: one makes it, both read it.
  await db.prisma.tenant.createMany({
    data: { id: uuidV7(), name, webhookSecretEncrypted: db.secrets.encrypt(secret) },
    skipDuplicates: true,
  });
  return (await db.prisma.tenant.findUniqueOrThrow({ where: { name }, select: SELECT })) as TenantRow;
}

export async function findTenant(db: Database, name: string): Promise<TenantRow | null> {
  return (await db.prisma.tenant.findUnique({ where: { name }, select: SELECT })) as TenantRow | null;
}

/** How long after a rotation both secrets sign. */
const ROTATION_OVERLAP_MS = 24 * 3_600_000;

/** The secrets that sign a tenant's deliveries now, newest first. */
export async function webhookSecrets(db: Database, tenantId: string): Promise<string[]> {
  const tenant = await db.prisma.tenant.findUnique({ where: { id: tenantId } });
  if (!tenant) return [];
  const secrets = [db.secrets.decrypt(tenant.webhookSecretEncrypted)];
  const rotatedMs = tenant.webhookSecretRotatedAt?.getTime() ?? 0;
  if (tenant.webhookSecretBeforeEncrypted !== null && Date.now() - rotatedMs < ROTATION_OVERLAP_MS) {
    secrets.push(db.secrets.decrypt(tenant.webhookSecretBeforeEncrypted));
  }
  return secrets;
}

/** Gives a tenant a new secret; the one before signs beside it for a day. Returns both, newest first. */
export async function rotateWebhookSecret(db: Database, tenantId: string): Promise<string[]> {
  const secret = newWebhookSecret();
  await db.pool.query(
    `UPDATE tenants SET webhook_secret_before_encrypted = webhook_secret_encrypted, webhook_secret_encrypted = $2,
       webhook_secret_rotated_at = now() WHERE id = $1`,
    [tenantId, db.secrets.encrypt(secret)],
  );
  return await webhookSecrets(db, tenantId);
}

export function newWebhookSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}
