import { uuidV7 } from "@scribe/domain";
import type { DeliveryStatus } from "../generated/client.ts";
import { type Database, inTransaction } from "../open-database.ts";
import { AT_ONCE } from "../outbox/at-once.ts";
import { insertDelivery } from "./insert-delivery.ts";

export interface DeliveryFilter {
  /** Of a job, or of an enhancement. */
  jobId?: string | undefined;
  status?: DeliveryStatus | undefined;
  limit: number;
}

/** What a ping came to. */
export interface PingResult {
  delivered: boolean;
  status: number | null;
  durationMs: number;
  error?: string | undefined;
  responseExcerpt?: string | undefined;
}

/** A tenant's deliveries with their tries, newest first. */
export function tenantDeliveries(db: Database, tenantId: string) {
  const find = async (id: string) => await db.prisma.webhookDelivery.findFirst({ where: { id, tenantId }, ...SHOWN });

  return {
    list: async ({ jobId, status, limit }: DeliveryFilter) =>
      await db.prisma.webhookDelivery.findMany({
        where: {
          tenantId,
          ...(jobId === undefined ? {} : { OR: [{ jobId }, { enhancementId: jobId }] }),
          ...(status === undefined ? {} : { status }),
        },
        orderBy: [{ createdAt: "desc" }, { id: "desc" }],
        take: limit,
        ...SHOWN,
      }),

    /**
     * Makes a delivery due now, with its schedule from the start; a try that is under way counts as that. `disabled`
     * where its endpoint wants nothing; null where it is not the tenant's.
     */
    async redeliver(id: string) {
      const { rows } = await db.pool.query<{ disabled: boolean }>(
        `SELECT endpoint.disabled_at IS NOT NULL AS disabled FROM webhook_deliveries AS delivery
         JOIN webhook_endpoints AS endpoint ON endpoint.id = delivery.endpoint_id
         WHERE delivery.id = $1 AND delivery.tenant_id = $2`,
        [id, tenantId],
      );
      if (!rows[0]) return null;
      if (rows[0].disabled) return "disabled" as const;
      await db.pool.query(
        `UPDATE webhook_deliveries SET status = 'pending', finished_at = NULL, next_run_at = ${AT_ONCE},
           dispatched_at = NULL, lease_until = NULL, tries_before = attempts
         WHERE id = $1 AND tenant_id = $2 AND (lease_until IS NULL OR lease_until < now())`,
        [id, tenantId],
      );
      return await find(id);
    },

    /**
     * Notes a ping before it is sent, for the log and for the count: null where the tenant has had `perMinute` within the
     * last minute, on whichever replica.
     */
    async beginPing(url: string, perMinute: number): Promise<{ id: string; body: string } | null> {
      const id = uuidV7();
      const body = JSON.stringify({ type: "ping", timestamp: new Date().toISOString(), data: {} });
      return await inTransaction(db, async (client) => {
        // One after the other, a tenant: two that count at once would both find room for the last.
        await client.query("SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE", [tenantId]);
        const { rows } = await client.query<{ count: number }>(
          `SELECT count(*)::int AS count FROM webhook_deliveries
           WHERE tenant_id = $1 AND type = 'ping' AND created_at > now() - interval '1 minute'`,
          [tenantId],
        );
        if ((rows[0]?.count ?? 0) >= perMinute) return null;
        const ping = { id, tenantId, jobId: null, type: "ping", url, body, secretEncrypted: null, traceparent: null };
        // Whoever asked for it waits for its answer: no worker sends it, and nobody tries it again.
        await insertDelivery(client, ping, "skipped");
        return { id, body };
      });
    },

    async endPing(id: string, result: PingResult): Promise<void> {
      const { delivered, status, durationMs, error, responseExcerpt } = result;
      await db.pool.query(
        `WITH ended AS (
           UPDATE webhook_deliveries SET status = $3::delivery_status, finished_at = now(), attempts = 1
           WHERE id = $1 AND tenant_id = $2 RETURNING id
         )
         INSERT INTO webhook_attempts (id, delivery_id, status, duration_ms, error, response_excerpt)
         SELECT $4, id, $5, $6, $7, $8 FROM ended`,
        [
          ...[id, tenantId, delivered ? "delivered" : "failed", uuidV7(), status],
          ...[Math.round(durationMs), error ?? null, responseExcerpt ?? null],
        ],
      );
    },
  };
}

const SHOWN = {
  omit: { body: true, secretEncrypted: true },
  include: { tries: { orderBy: { at: "asc" } } },
} as const;

export type DeliveryRow = Awaited<ReturnType<ReturnType<typeof tenantDeliveries>["list"]>>[number];
