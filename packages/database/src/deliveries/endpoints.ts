import type { PoolClient } from "pg";
import { type Database, inTransaction } from "../open-database.ts";

export interface EndpointRow {
  id: string;
  origin: string;
  path: string;
  createdAt: Date;
  /** Set where the receiver said that it wants nothing more. */
  disabledAt: Date | null;
  reason: string | null;
  /** Deliveries that wait for a try. */
  pending: number;
}

const GONE = "The receiver answered 410.";

/** Nothing more is sent there: what waits is skipped, and what comes is skipped as it is written down. */
export async function disableEndpoint(client: PoolClient, endpointId: string): Promise<void> {
  await client.query(
    "UPDATE webhook_endpoints SET disabled_at = now(), reason = $2 WHERE id = $1 AND disabled_at IS NULL",
    [endpointId, GONE],
  );
  // A try that is under way decides for itself; one that a commit adds just now is skipped by its claim.
  await client.query(
    `UPDATE webhook_deliveries SET status = 'skipped', finished_at = now(), dispatched_at = NULL
     WHERE endpoint_id = $1 AND status = 'pending' AND (lease_until IS NULL OR lease_until < now())`,
    [endpointId],
  );
}

/** Removes endpoints that no delivery names any more. Locked first, so that a delivery that is just being added keeps its own. */
export async function forgetEndpoints(client: PoolClient, endpointIds: readonly string[]): Promise<void> {
  if (endpointIds.length === 0) return;
  await client.query("SELECT 1 FROM webhook_endpoints WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", [
    endpointIds,
  ]);
  await client.query(
    `DELETE FROM webhook_endpoints AS endpoint WHERE id = ANY($1::uuid[])
       AND NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE endpoint_id = endpoint.id)`,
    [endpointIds],
  );
}

/** A tenant's endpoints: every origin and path that a delivery of its was meant for. */
export function tenantEndpoints(db: Database, tenantId: string) {
  return {
    /** Disabled ones first, then the newest. */
    async list(limit: number): Promise<EndpointRow[]> {
      const { rows } = await db.pool.query<EndpointRow>(
        `SELECT id, origin, path, created_at AS "createdAt", disabled_at AS "disabledAt", reason, (
           SELECT count(*)::int FROM webhook_deliveries WHERE endpoint_id = endpoint.id AND status = 'pending'
         ) AS pending
         FROM webhook_endpoints AS endpoint WHERE tenant_id = $1
         ORDER BY disabled_at IS NULL, created_at DESC, id DESC LIMIT $2`,
        [tenantId, limit],
      );
      return rows;
    },

    /** Later deliveries are sent again; what was skipped stays so until it is redelivered. Null where it is not the tenant's. */
    async enable(id: string): Promise<EndpointRow | null> {
      return await inTransaction(db, async (client) => {
        const { rows } = await client.query<EndpointRow>(
          `UPDATE webhook_endpoints SET disabled_at = NULL, reason = NULL WHERE id = $1 AND tenant_id = $2
           RETURNING id, origin, path, created_at AS "createdAt", disabled_at AS "disabledAt", reason, (
             SELECT count(*)::int FROM webhook_deliveries WHERE endpoint_id = $1 AND status = 'pending'
           ) AS pending`,
          [id, tenantId],
        );
        return rows[0] ?? null;
      });
    },
  };
}
