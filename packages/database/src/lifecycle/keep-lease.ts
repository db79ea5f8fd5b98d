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

/** Of several leases, the ids of the jobs whose lease still holds. */
export async function stillRunning(db: Database, leases: readonly Lease[]): Promise<Set<string>> {
  if (leases.length === 0) return new Set();
  const { rows } = await db.pool.query<{ id: string }>(
    `SELECT jobs.id FROM jobs JOIN unnest($1::uuid[], $2::int[]) AS held(id, epoch) USING (id)
     WHERE jobs.lease_epoch = held.epoch AND jobs.status = 'processing'`,
    [leases.map(({ jobId }) => jobId), leases.map(({ epoch }) => epoch)],
  );
  return new Set(rows.map(({ id }) => id));
}
