import { type TenantLimits, uuidV7 } from "@scribe/domain";
import type { Database } from "../open-database.ts";
import { newWebhookSecret, type TenantRow } from "./tenants.ts";

/** For the operator alone: what concerns all tenants of the instance. */
export interface InstanceTenant extends TenantRow {
  createdAt: Date;
}

const SELECT = { id: true, name: true, disabledAt: true, limits: true, createdAt: true } as const;

/** Null where the name is taken. */
export async function createTenant(
  db: Database,
  { name, limits = {} }: { name: string; limits?: TenantLimits | undefined },
): Promise<InstanceTenant | null> {
  const id = uuidV7();
  const { count } = await db.prisma.tenant.createMany({
    data: { id, name, limits: limits as never, webhookSecretEncrypted: db.secrets.encrypt(newWebhookSecret()) },
    skipDuplicates: true,
  });
  return count === 0 ? null : await getTenant(db, id);
}

export async function getTenant(db: Database, id: string): Promise<InstanceTenant | null> {
  return (await db.prisma.tenant.findUnique({ where: { id }, select: SELECT })) as InstanceTenant | null;
}

/** By age; `after` is the last id of the page before. */
export async function listTenants(
  db: Database,
  { limit, after }: { limit: number; after?: string | undefined },
): Promise<InstanceTenant[]> {
  const rows = await db.prisma.tenant.findMany({
    where: after === undefined ? {} : { id: { gt: after } },
    orderBy: { id: "asc" },
    take: limit,
    select: SELECT,
  });
  return rows as InstanceTenant[];
}

/** Null where there is no such tenant. Limits are replaced as a whole. */
export async function updateTenant(
  db: Database,
  id: string,
  change: { limits?: TenantLimits | undefined; disabled?: boolean | undefined },
): Promise<InstanceTenant | null> {
  const { count } = await db.prisma.tenant.updateMany({
    where: { id },
    data: {
      ...(change.limits === undefined ? {} : { limits: change.limits as never }),
      ...(change.disabled === undefined ? {} : { disabledAt: change.disabled ? new Date() : null }),
    },
  });
  return count === 0 ? null : await getTenant(db, id);
}
