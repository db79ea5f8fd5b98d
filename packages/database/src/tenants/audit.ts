import { uuidV7 } from "@scribe/domain";
import type { PoolClient } from "pg";
import type { Database } from "../open-database.ts";

export interface AuditedAct {
  tenantId?: string | null | undefined;
  /** The acting key's public id, `cli`, `configuration`, or `retention`. */
  actor: string;
  action: string;
  target?: string | undefined;
  address?: string | undefined;
  detail?: Record<string, unknown> | undefined;
}

export interface AuditRow {
  id: string;
  at: Date;
  tenantId: string | null;
  actor: string;
  action: string;
  target: string | null;
  address: string | null;
  detail: Record<string, unknown>;
}

export async function audit(db: Database, act: AuditedAct): Promise<void> {
  await db.prisma.auditEntry.create({
    data: {
      id: uuidV7(),
      tenantId: act.tenantId ?? null,
      actor: act.actor,
      action: act.action,
      target: act.target ?? null,
      address: act.address ?? null,
      detail: (act.detail ?? {}) as never,
    },
  });
}

export interface AuditFilter {
  limit: number;
  /** The last id of the page before: ids rise with time. */
  before?: string | undefined;
  tenantId?: string | undefined;
  actor?: string | undefined;
  action?: string | undefined;
}

/** For the operator alone. Newest first. */
export async function readAudit(db: Database, { limit, before, ...where }: AuditFilter): Promise<AuditRow[]> {
  const rows = await db.prisma.auditEntry.findMany({
    where: {
      ...(before === undefined ? {} : { id: { lt: before } }),
      ...(where.tenantId === undefined ? {} : { tenantId: where.tenantId }),
      ...(where.actor === undefined ? {} : { actor: where.actor }),
      ...(where.action === undefined ? {} : { action: where.action }),
    },
    orderBy: { id: "desc" },
    take: limit,
  });
  return rows as AuditRow[];
}

/** The same, inside the transaction that did what it tells of. */
export async function auditIn(client: PoolClient, act: AuditedAct): Promise<void> {
  await client.query(
    "INSERT INTO audit (id, tenant_id, actor, action, target, address, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    [
      ...[uuidV7(), act.tenantId ?? null, act.actor, act.action, act.target ?? null, act.address ?? null],
      JSON.stringify(act.detail ?? {}),
    ],
  );
}
