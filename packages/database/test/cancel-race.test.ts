import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { completeJob, recordWindow } from "../src/index.ts";
import { anOutcome, aWindow, type DatabaseBench, openBench, WITH_WEBHOOK } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Who won, by job. Either may be sent first. */
async function race(cancelFirst: boolean): Promise<[string, "cancelled" | "completed"]> {
  const job = await bench.running(WITH_WEBHOOK);
  await recordWindow(bench.db, job.lease, aWindow(0));
  const cancelling = cancelFirst ? bench.jobs.cancel(job.id) : null;
  const completing = completeJob(bench.db, job.lease, anOutcome());
  const [cancel, completed] = await Promise.all([cancelling ?? bench.jobs.cancel(job.id), completing]);
  const cancelled = cancel?.outcome === "cancelled";
  expect([cancelled, completed]).toEqual([!completed, !cancelled]);
  const status = cancelled ? "cancelled" : "completed";
  expect(cancel?.job.status).toBe(status);
  return [job.id, status];
}

test("of a cancel and a final commit at once exactly one wins, a hundred times, and all that is told agrees", async () => {
  const winners = new Map<string, string>();
  for (let i = 0; i < 20; i++) {
    const five = await Promise.all(Array.from({ length: 5 }, (_, n) => race((i + n) % 2 === 0)));
    for (const [id, status] of five) winners.set(id, status);
  }
  const told = await bench.sql<{
    id: string;
    status: string;
    transcript: boolean;
    events: string[];
    deliveries: string[];
  }>(
    `SELECT id, status, EXISTS (SELECT 1 FROM transcripts WHERE job_id = jobs.id) AS transcript,
       (SELECT array_agg(concat_ws(' ', type, data->>'status') ORDER BY ordinal) FROM job_events WHERE job_id = jobs.id) AS events,
       (SELECT array_agg(type ORDER BY (body::json->'data'->>'sequence')::int) FROM webhook_deliveries WHERE job_id = jobs.id) AS deliveries
     FROM jobs`,
  );
  expect(told).toHaveLength(100);
  for (const { id, status, transcript, events, deliveries } of told) {
    expect(status).toBe(winners.get(id));
    expect(transcript).toBe(status === "completed");
    expect(events).toEqual(["status pending", "status processing", "segment", `status ${status}`, `done ${status}`]);
    expect(deliveries).toEqual(["job.started", `job.${status}`]);
  }
});

test("a final commit that waits behind a cancel leaves no transcript", async () => {
  const job = await bench.running();
  const client = await bench.db.pool.connect();
  await client.query("BEGIN");
  await client.query("UPDATE jobs SET status = 'cancelled', lease_epoch = lease_epoch + 1 WHERE id = $1", [job.id]);
  const completing = completeJob(bench.db, job.lease, anOutcome());
  for (;;) {
    const waiting = await bench.sql(
      "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
    );
    if (waiting.length > 0) break;
  }
  await client.query("COMMIT");
  client.release();
  expect(await completing).toBe(false);
  expect(await bench.jobs.transcript(job.id)).toBeNull();
});

test("a cancel that is repeated finds the job as it is, and tells nothing twice", async () => {
  const job = await bench.create(WITH_WEBHOOK);
  const cancels = await Promise.all(Array.from({ length: 10 }, () => bench.jobs.cancel(job.id)));
  expect(cancels.filter((cancel) => cancel?.outcome === "cancelled")).toHaveLength(1);
  for (const cancel of cancels) expect(cancel?.job.status).toBe("cancelled");
  expect((await bench.events(job.id)).map(({ type }) => type)).toEqual(["status", "status", "done"]);
  expect((await bench.deliveries(job.id)).map(({ type }) => type)).toEqual(["job.cancelled"]);
});
