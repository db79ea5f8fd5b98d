import type { JobStatus } from "@scribe/domain";
import type { PoolClient } from "pg";
import { forgetEndpoints } from "../deliveries/endpoints.ts";

/** Inside a transaction: erases a finished one with all that came of it. `tenantId` null: whosever it is. */
export async function eraseEnhancement(
  client: PoolClient,
  id: string,
  tenantId: string | null,
): Promise<{ tenantId: string } | "live" | null> {
  const { rows } = await client.query<{ tenantId: string; status: JobStatus }>(
    `SELECT tenant_id AS "tenantId", status FROM enhancements
     WHERE id = $1 AND ($2::uuid IS NULL OR tenant_id = $2) FOR UPDATE`,
    [id, tenantId],
  );
  const [row] = rows;
  if (!row) return null;
  if (row.status === "pending" || row.status === "processing") return "live";
  const { rows: endpoints } = await client.query<{ id: string }>(
    "SELECT DISTINCT endpoint_id AS id FROM webhook_deliveries WHERE enhancement_id = $1",
    [id],
  );
  await client.query("DELETE FROM enhancements WHERE id = $1", [id]);
  await forgetEndpoints(
    client,
    endpoints.map((endpoint) => endpoint.id),
  );
  await client.query("DELETE FROM idempotency_records WHERE tenant_id = $1 AND response->>'job_id' = $2", [
    row.tenantId,
    id,
  ]);
  return { tenantId: row.tenantId };
}
