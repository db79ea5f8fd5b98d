import type { Identities } from "@scribe/domain";
import type { Database } from "../open-database.ts";

export interface WorkerState {
  id: string;
  roles: readonly string[];
  /** Jobs that it transcribes at once; 0 where it does not. */
  slots: number;
  models: readonly string[];
  /** What decides the text of the models that it has read. */
  identities?: Identities | undefined;
  version: string;
}

/** A worker that was not seen for this long is not counted. */
const LIVE_SECONDS = 30;

export async function heartbeat(db: Database, worker: WorkerState): Promise<void> {
  await db.pool.query({
    name: "heartbeat",
    text: `INSERT INTO workers (id, roles, slots, models, version, identities) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (id) DO UPDATE SET roles = $2, slots = $3, models = $4, version = $5, identities = $6, seen_at = now()`,
    values: [
      ...[worker.id, [...worker.roles], worker.slots, [...worker.models], worker.version],
      JSON.stringify(worker.identities ?? {}),
    ],
  });
}

/** Takes a worker off the list, and with it those that were not seen for an hour. */
export async function removeWorker(db: Database, id: string): Promise<void> {
  await db.pool.query("DELETE FROM workers WHERE id = $1 OR seen_at < now() - interval '1 hour'", [id]);
}

/** What the live workers' models are, each different set once. */
export async function liveIdentities(db: Database): Promise<Identities[]> {
  const { rows } = await db.pool.query<{ identities: Identities }>({
    name: "live-identities",
    text: "SELECT DISTINCT identities FROM workers WHERE slots > 0 AND seen_at > now() - $1 * interval '1 second'",
    values: [LIVE_SECONDS],
  });
  return rows.map(({ identities }) => identities);
}

/** How many live workers hold each model. */
export async function modelLoads(db: Database): Promise<Map<string, number>> {
  const { rows } = await db.pool.query<{ model: string; count: number }>(
    `SELECT model, count(*)::int AS count FROM workers, unnest(models) AS model
     WHERE seen_at > now() - $1 * interval '1 second' GROUP BY model`,
    [LIVE_SECONDS],
  );
  return new Map(rows.map(({ model, count }) => [model, count]));
}

/** Jobs that all live workers together transcribe at once. */
export async function liveSlots(db: Database): Promise<number> {
  const { rows } = await db.pool.query<{ slots: number }>({
    name: "live-slots",
    text: "SELECT coalesce(sum(slots), 0)::int AS slots FROM workers WHERE seen_at > now() - $1 * interval '1 second'",
    values: [LIVE_SECONDS],
  });
  return rows[0]?.slots ?? 0;
}

export async function queueDepth(db: Database): Promise<{ pending: number; processing: number }> {
  const { rows } = await db.pool.query<{ pending: number; processing: number }>(
    `SELECT count(*) FILTER (WHERE status = 'pending')::int AS pending,
       count(*) FILTER (WHERE status = 'processing')::int AS processing
     FROM jobs WHERE status IN ('pending', 'processing')`,
  );
  return rows[0] ?? { pending: 0, processing: 0 };
}
