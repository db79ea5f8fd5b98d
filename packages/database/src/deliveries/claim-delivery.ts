import { uuidV7 } from "@scribe/domain";
import { type Database, inTransaction } from "../open-database.ts";
import { AT_ONCE } from "../outbox/at-once.ts";
import { webhookSecrets } from "../tenants/tenants.ts";
import { disableEndpoint } from "./endpoints.ts";

export interface ClaimedDelivery {
  id: string;
  tenantId: string;
  jobId: string | null;
  type: string;
  url: string;
  body: string;
  /** Tries of this schedule before this one; a redelivery begins anew. */
  attempts: number;
  leaseEpoch: number;
  createdAt: Date;
  /** W3C trace context of the job's request. */
  traceparent: string | null;
  /** Plain, newest first: the job's own, else the tenant's (two while one is being rotated). */
  secrets: string[];
  /** Beside our own; plain. */
  headers: Record<string, string>;
}

/**
 * Tries to take a delivery, by the same rule as a job's claim. One whose endpoint was disabled meanwhile is skipped here,
 * and taken by nobody.
 */
export async function claimDelivery(
  db: Database,
  id: string,
  { leaseSeconds }: { leaseSeconds: number },
): Promise<ClaimedDelivery | null> {
  const { rows } = await db.pool.query<
    Omit<ClaimedDelivery, "secrets" | "headers"> & {
      secretEncrypted: string | null;
      headersEncrypted: string | null;
      disabled: boolean;
    }
  >({
    name: "claim-delivery",
    text: `UPDATE webhook_deliveries
           SET lease_epoch = lease_epoch + 1, lease_until = now() + $2 * interval '1 second', dispatched_at = NULL
           WHERE id = $1 AND status = 'pending' AND next_run_at <= now() AND (lease_until IS NULL OR lease_until < now())
           RETURNING id, tenant_id AS "tenantId", job_id AS "jobId", type, url, body,
             attempts - tries_before AS attempts, (
               SELECT disabled_at IS NOT NULL FROM webhook_endpoints AS endpoint WHERE endpoint.id = endpoint_id
             ) AS disabled,
             lease_epoch AS "leaseEpoch", created_at AS "createdAt", traceparent, secret_encrypted AS "secretEncrypted",
             headers_encrypted AS "headersEncrypted"`,
    values: [id, leaseSeconds],
  });
  const row = rows[0];
  if (!row) return null;
  const { secretEncrypted, headersEncrypted, disabled, ...delivery } = row;
  if (disabled) {
    await db.pool.query(
      `UPDATE webhook_deliveries SET status = 'skipped', finished_at = now(), lease_until = NULL
       WHERE id = $1 AND lease_epoch = $2 AND status = 'pending'`,
      [id, delivery.leaseEpoch],
    );
    return null;
  }
  const secrets =
    secretEncrypted === null ? await webhookSecrets(db, row.tenantId) : [db.secrets.decrypt(secretEncrypted)];
  const headers = headersEncrypted === null ? {} : JSON.parse(db.secrets.decrypt(headersEncrypted));
  return { ...delivery, secrets, headers };
}

export interface DeliveryTry {
  /** The answer's, null where there was none. */
  status: number | null;
  durationMs: number;
  error?: string | undefined;
  responseExcerpt?: string | undefined;
  /** `gone`: failed, and the receiver wants nothing more; its endpoint is disabled. */
  outcome: "delivered" | "failed" | "skipped" | "gone" | { retryInSeconds: number };
}

/** Records how a try went. False: the lease was lost; another worker tries, with the same id. */
export async function finishDeliveryTry(
  db: Database,
  delivery: { id: string; epoch: number },
  result: DeliveryTry,
): Promise<boolean> {
  const { outcome } = result;
  const retry = typeof outcome === "object";
  const status = retry ? "pending" : outcome === "gone" ? "failed" : outcome;
  return await inTransaction(db, async (client) => {
    const { rows } = await client.query<{ endpointId: string }>(
      `UPDATE webhook_deliveries SET status = $3::delivery_status, attempts = attempts + 1, lease_until = NULL,
         dispatched_at = NULL, next_run_at = ${AT_ONCE} + $4 * interval '1 second',
         finished_at = CASE WHEN $3 = 'pending' THEN NULL ELSE now() END
       WHERE id = $1 AND lease_epoch = $2 AND status = 'pending' RETURNING endpoint_id AS "endpointId"`,
      [delivery.id, delivery.epoch, status, retry ? outcome.retryInSeconds : 0],
    );
    const [row] = rows;
    if (!row) return false;
    if (outcome === "gone") await disableEndpoint(client, row.endpointId);
    await client.query(
      `INSERT INTO webhook_attempts (id, delivery_id, status, duration_ms, error, response_excerpt)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [
        uuidV7(),
        delivery.id,
        result.status,
        Math.round(result.durationMs),
        result.error ?? null,
        result.responseExcerpt ?? null,
      ],
    );
    return true;
  });
}

/**
 * Gives a delivery back whose try was cut off by the worker's own end, to be tried by another at once. It counts as no
 * try. False: the lease was lost.
 */
export async function handBackDelivery(db: Database, delivery: { id: string; epoch: number }): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE webhook_deliveries SET lease_epoch = lease_epoch + 1, lease_until = NULL, dispatched_at = NULL, next_run_at = ${AT_ONCE}
     WHERE id = $1 AND lease_epoch = $2 AND status = 'pending'`,
    [delivery.id, delivery.epoch],
  );
  return rowCount === 1;
}
