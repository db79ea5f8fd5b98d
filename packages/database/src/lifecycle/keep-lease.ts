import type { Database } from "../open-database.ts";
import type { Lease } from "./claim-job.ts";

/** Moves the end of a lease. False: it is no longer ours, and all work on the job must stop. */
export async function renewLease(db: Database, { jobId, epoch }: Lease, leaseSeconds: number): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: "renew-lease",
    text: `UPDATE jobs SET lease_until = now() + $3 * interval '1 second'
           WHERE id = $1 AND lease_epoch = $2 AND status = 'processing'`,
    values: [jobId, epoch, leaseSeconds],
  });
  return rowCount === 1;
}

/** How a lease stands: an erased job counts as cancelled, for nobody wants it any more. */
export type LeaseState = "held" | "cancelled" | "lost";

/** Of several leases, how each stands, by the job's id. */
export async function lookAtLeases(db: Database, leases: readonly Lease[]): Promise<Map<string, LeaseState>> {
  if (leases.length === 0) return new Map();
  const { rows } = await db.pool.query<{ id: string; state: LeaseState }>(
    `SELECT held.id, CASE WHEN jobs.lease_epoch = held.epoch AND jobs.status = 'processing' THEN 'held'
                          WHEN coalesce(jobs.status = 'cancelled', true) THEN 'cancelled'
                          ELSE 'lost' END AS state
     FROM unnest($1::uuid[], $2::int[]) AS held(id, epoch) LEFT JOIN jobs USING (id)`,
    [leases.map(({ jobId }) => jobId), leases.map(({ epoch }) => epoch)],
  );
  return new Map(rows.map(({ id, state }) => [id, state]));
}
