import { uuidV7 } from "@scribe/domain";
import type { Database } from "../open-database.ts";

export interface AuditedAct {
  tenantId?: string | null | undefined;
  /** The acting key's public id, `cli`, or `retention`. */
  actor: string;
  action: string;
  target?: string | undefined;
  address?: string | undefined;
  detail?: Record<string, unknown> | undefined;
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
