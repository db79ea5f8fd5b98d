import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WEBHOOK_BODY_LIMIT_BYTES } from "@scribe/domain";
import {
  claimDelivery,
  completeJob,
  dispatchRows,
  finishDeliveryTry,
  recordWindow,
  secondsUntilDue,
  tenantDeliveries,
  webhookSecrets,
} from "../src/index.ts";
import { anOutcome, aSegment, aWindow, type DatabaseBench, openBench, WITH_WEBHOOK } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const ONLY_COMPLETED = { ...WITH_WEBHOOK, webhookEvents: ["job.completed"] };

async function completed(text: string, over = {}) {
  const job = await bench.running({ ...ONLY_COMPLETED, ...over });
  await recordWindow(bench.db, job.lease, { ...aWindow(), segments: [aSegment(0, text)] });
  await completeJob(bench.db, job.lease, anOutcome({ text: "short" }));
  const [delivery] = await bench.deliveries(job.id);
  return { job, delivery };
}

const claim = (id: string, leaseSeconds = 30) => claimDelivery(bench.db, id, { leaseSeconds });

describe("the body of a delivery", () => {
  test("has the result of a completed job", async () => {
    const { job, delivery } = await completed("Hello 🐇.", { recordingId: "r", metadata: { a: 1 } });
    const body = JSON.parse(delivery.body);
    expect(body).toEqual({
      type: "job.completed",
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      data: {
        job_id: job.id,
        recording_id: "r",
        status: "completed",
        progress: 100,
        sequence: 1,
        metadata: { a: 1 },
        result: await bench.jobs.transcript(job.id),
      },
    });
    expect(body.data.result).toMatchObject({ text: "short", segments: [{ id: 0, text: "Hello 🐇." }] });
  });

  test.each([
    ["a result far over 256 KiB", "x".repeat(2 * WEBHOOK_BODY_LIMIT_BYTES)],
    // Smaller than the limit as text, larger once quoted.
    ["one that only its JSON makes too large", '"'.repeat(WEBHOOK_BODY_LIMIT_BYTES - 1024)],
  ])("leaves out %s, and says where it is", async (_, text) => {
    const { job, delivery } = await completed(text);
    const { data } = JSON.parse(delivery.body);
    expect(data).not.toHaveProperty("result");
    expect(data.result_url).toBe(`https://scribe.example/api/v1/jobs/${job.id}`);
    expect(Buffer.byteLength(delivery.body)).toBeLessThan(1024);
  });

  test("holds a result just under 256 KiB", async () => {
    const { delivery } = await completed("x".repeat(WEBHOOK_BODY_LIMIT_BYTES - 2048));
    expect(JSON.parse(delivery.body).data).toHaveProperty("result");
    expect(Buffer.byteLength(delivery.body)).toBeLessThanOrEqual(WEBHOOK_BODY_LIMIT_BYTES);
  });
});

test("only events that were asked for are delivered, and none without an address", async () => {
  const silent = await bench.running({ webhookEvents: ["job.started", "job.completed"] });
  await completeJob(bench.db, silent.lease, anOutcome());
  expect(await bench.deliveries(silent.id)).toEqual([]);
  const { job } = await completed("x");
  expect(await bench.deliveries(job.id)).toMatchObject([{ type: "job.completed", status: "pending" }]);
});

describe("a delivery", () => {
  test("is claimed by one of ten, with the tenant's secrets", async () => {
    const { job, delivery } = await completed("x");
    const claims = await Promise.all(Array.from({ length: 10 }, () => claim(delivery.id)));
    const won = claims.filter((claim) => claim !== null);
    expect(won).toHaveLength(1);
    expect(won[0]).toMatchObject({ id: delivery.id, jobId: job.id, body: delivery.body, type: "job.completed" });
    expect(won[0]).toMatchObject({ attempts: 0, leaseEpoch: 1, url: WITH_WEBHOOK.webhookUrl });
    expect(won[0].secrets).toEqual(await webhookSecrets(bench.db, bench.tenant.id));
  });

  test("is signed with the job's own secret where it has one", async () => {
    const { delivery } = await completed("x", { webhookSecret: "own secret" });
    expect((await claim(delivery.id))?.secrets).toEqual(["own secret"]);
  });

  test("that failed is due again later, with the same id and body, and each try is kept", async () => {
    const { job, delivery } = await completed("x");
    const first = (await claim(delivery.id))!;
    const held = { id: delivery.id, epoch: first.leaseEpoch };
    const failed = { status: 503, durationMs: 12.4, error: "HTTP 503", responseExcerpt: "busy" };
    expect(await finishDeliveryTry(bench.db, held, { ...failed, outcome: { retryInSeconds: 60 } })).toBe(true);
    expect(await claim(delivery.id)).toBeNull();
    await bench.sql("UPDATE webhook_deliveries SET next_run_at = now() - interval '1 second' WHERE id = $1", [
      delivery.id,
    ]);
    const second = (await claim(delivery.id))!;
    expect(second).toMatchObject({ id: first.id, body: first.body, attempts: 1, leaseEpoch: 2 });
    const done = { id: delivery.id, epoch: 2 };
    await finishDeliveryTry(bench.db, done, { status: 204, durationMs: 5, outcome: "delivered" });
    expect(await claim(delivery.id)).toBeNull();

    const [shown] = await tenantDeliveries(bench.db, bench.tenant.id).list({ jobId: job.id, limit: 10 });
    expect(shown).toMatchObject({
      status: "delivered",
      attempts: 2,
      tries: [
        { ...failed, durationMs: 12 },
        { status: 204, error: null },
      ],
    });
    expect(shown.finishedAt).toBeInstanceOf(Date);
    expect(shown).not.toHaveProperty("body");
    expect(shown).not.toHaveProperty("secretEncrypted");
  });

  test.each(["failed", "skipped"] as const)("may end as %s", async (outcome) => {
    const { job, delivery } = await completed("x");
    await claim(delivery.id);
    const held = { id: delivery.id, epoch: 1 };
    await finishDeliveryTry(bench.db, held, { status: null, durationMs: 1, error: "gone", outcome });
    const found = await tenantDeliveries(bench.db, bench.tenant.id).list({ jobId: job.id, status: outcome, limit: 1 });
    expect(found).toHaveLength(1);
  });

  test("whose lease another took is not finished by the first", async () => {
    const { delivery } = await completed("x");
    await claim(delivery.id);
    await bench.sql("UPDATE webhook_deliveries SET lease_until = now() - interval '1 second' WHERE id = $1", [
      delivery.id,
    ]);
    expect(await claim(delivery.id)).toMatchObject({ leaseEpoch: 2 });
    const late = { status: 200, durationMs: 1, outcome: "delivered" } as const;
    expect(await finishDeliveryTry(bench.db, { id: delivery.id, epoch: 1 }, late)).toBe(false);
    expect(await bench.sql("SELECT 1 FROM webhook_attempts WHERE delivery_id = $1", [delivery.id])).toEqual([]);
    expect(await finishDeliveryTry(bench.db, { id: delivery.id, epoch: 2 }, late)).toBe(true);
    expect(await finishDeliveryTry(bench.db, { id: delivery.id, epoch: 2 }, late)).toBe(false);
  });
});

test("due deliveries are put into the window once, by several dispatchers at once", async () => {
  await bench.sql("UPDATE webhook_deliveries SET status = 'skipped' WHERE status = 'pending'");
  const made = new Set<string>();
  for (let i = 0; i < 20; i++) {
    made.add((await completed("x", { webhookUrl: `https://receiver.example/${i}?token=${i}` })).delivery.id);
  }
  expect(await secondsUntilDue(bench.db, "webhooks")).toBe(0);
  const taken = (await Promise.all(Array.from({ length: 4 }, () => dispatchRows(bench.db, "webhooks", 64)))).flat();
  expect(taken).toHaveLength(20);
  expect(new Set(taken.map(({ id }) => id))).toEqual(made);
  expect(await dispatchRows(bench.db, "webhooks", 64)).toEqual([]);
  expect(await secondsUntilDue(bench.db, "webhooks")).toBeNull();
});
