import { uuidV7 } from "@scribe/domain";
import type { Pool, PoolClient } from "pg";
import { AT_ONCE } from "../outbox/at-once.ts";
import { endpointAddress } from "./endpoint-address.ts";

export interface NewDelivery {
  id: string;
  tenantId: string;
  jobId: string | null;
  enhancementId?: string | undefined;
  type: string;
  url: string;
  /** The exact text of every try. */
  body: string;
  secretEncrypted: string | null;
  /** Headers beside our own. */
  headersEncrypted?: string | null | undefined;
  traceparent: string | null;
}

/**
 * Writes a delivery down for its endpoint, which is made where it is new. To a disabled endpoint it is `skipped` from the
 * start. An event of a job that was told before is told no second time.
 */
export async function insertDelivery(
  client: Pool | PoolClient,
  delivery: NewDelivery,
  status: "pending" | "skipped" = "pending",
): Promise<void> {
  const { origin, path, digest } = endpointAddress(delivery.url);
  // Looked up rather than upserted: an upsert locks the endpoint's row, and jobs that end together would wait in line.
  const insert = async () => {
    const { rowCount } = await client.query({
      name: "insert-delivery",
      text: `INSERT INTO webhook_deliveries (id, tenant_id, job_id, endpoint_id, type, url, body, secret_encrypted,
          traceparent, enhancement_id, headers_encrypted, status, finished_at, next_run_at)
        SELECT $1, $2, $3, endpoint.id, $5, $6, $7, $8, $9, $11, $12, s.status, CASE s.status WHEN 'pending' THEN NULL ELSE now() END, ${AT_ONCE}
        FROM webhook_endpoints AS endpoint CROSS JOIN LATERAL (
          SELECT (CASE WHEN endpoint.disabled_at IS NULL THEN $10 ELSE 'skipped' END)::delivery_status AS status
        ) AS s
        WHERE endpoint.tenant_id = $2 AND endpoint.digest = $4 FOR KEY SHARE OF endpoint ON CONFLICT DO NOTHING`,
      values: [
        ...[delivery.id, delivery.tenantId, delivery.jobId, digest, delivery.type, delivery.url, delivery.body],
        ...[delivery.secretEncrypted, delivery.traceparent, status, delivery.enhancementId ?? null],
        delivery.headersEncrypted ?? null,
      ],
    });
    return rowCount === 1;
  };
  if (await insert()) return;
  await client.query(
    `INSERT INTO webhook_endpoints (id, tenant_id, digest, origin, path) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
    [uuidV7(), delivery.tenantId, digest, origin, path],
  );
  await insert();
}
