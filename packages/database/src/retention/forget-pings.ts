import { forgetEndpoints } from "../deliveries/endpoints.ts";
import { type Database, inTransaction } from "../open-database.ts";
import type { RetentionRun } from "./stored-objects.ts";

/** A test of a receiver is of interest for a while; no job's erasure takes it along. */
const KEPT_DAYS = 7;

export async function forgetPings(db: Database, { report }: RetentionRun): Promise<void> {
  await inTransaction(db, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `DELETE FROM webhook_deliveries WHERE job_id IS NULL AND type = 'ping' AND created_at < now() - $1 * interval '1 day'
       RETURNING endpoint_id AS id`,
      [KEPT_DAYS],
    );
    report.scanned += rows.length;
    report.deleted += rows.length;
    await forgetEndpoints(client, [...new Set(rows.map(({ id }) => id))]);
  });
}
