import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { tenantDeliveries, webhookSecrets } from "@scribe/database";
import { createDispatcher, type Dispatcher, openQueues, type Queues } from "@scribe/queue";
import { type Receiver, startReceiver, waitFor } from "@scribe/testing";
import { verifySignature } from "@scribe/webhooks";
import type { WorkerParts } from "../src/attempt.ts";
import { createHeldJobs } from "../src/held-jobs.ts";
import { startMaintenance } from "../src/roles/maintenance.ts";
import type { Role } from "../src/roles/role.ts";
import { startTranscription } from "../src/roles/transcription.ts";
import { startWebhooks } from "../src/roles/webhooks.ts";
import { log, openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
let queues: Queues;
let dispatcher: Dispatcher;
let receiver: Receiver;
let parts: WorkerParts;
let roles: Role[];

beforeAll(async () => {
  box = await openWorkerBox();
  receiver = await startReceiver();
});
afterAll(async () => {
  await receiver.stop();
  await box.close();
});
beforeEach(async () => {
  queues = await openQueues({ db: box.db, log });
  dispatcher = createDispatcher({ db: box.db, queues, log, sweepSeconds: 1 });
  parts = { ...box.parts, held: createHeldJobs(), poke: (kind) => dispatcher.poke(kind) };
  receiver.requests.length = 0;
  receiver.answer([]);
  roles = [
    startMaintenance(dispatcher),
    startWebhooks(parts, { queues, outbound: parts.outbound, scheduleSeconds: [0.2, 0.2], concurrency: 32 }),
    startTranscription(parts, { queues, concurrency: 1 }),
  ];
});
afterEach(async () => {
  for (const role of roles.reverse()) {
    role.abort();
    await role.drain();
    await role.close();
  }
  await queues.close();
});

const QUICK = { audio: false, windows: 2, window_seconds: 10 };
const SLOW = { ...QUICK, windows: 1000, delay_ms: 100 };
const hook = () => ({ webhookUrl: `${receiver.url}/hook`, webhookEvents: ["job.completed", "job.failed"] });

const ended = (id: string, status = "completed") =>
  waitFor(async () => (await box.row(id)).status === status, { timeoutMs: 15_000, what: `${id} ${status}` });

describe("a worker in all its roles", () => {
  test("takes accepted jobs, one after the other, without being asked twice", async () => {
    const jobs = await Promise.all(Array.from({ length: 20 }, () => box.create(QUICK)));
    dispatcher.poke("transcription");
    for (const { id } of jobs) await ended(id);
  });

  test("tries again when the wait is over", async () => {
    parts.settings.backoffSeconds = () => 0.3;
    const { id } = await box.create({ ...QUICK, fail_at: 1, fail_times: 1 });
    dispatcher.poke("transcription");
    await ended(id);
    expect(await box.row(id)).toMatchObject({ attempts: 1 });
  });

  test("delivers the end of a job, signed with the tenant's secret", async () => {
    const { id } = await box.create(QUICK, hook());
    dispatcher.poke("transcription");
    const [request] = await receiver.waitForRequests(1);
    expect(request!.json()).toMatchObject({ type: "job.completed", data: { job_id: id, status: "completed" } });
    const secrets = await webhookSecrets(box.db, box.tenant.id);
    expect(verifySignature(request!.body, request!.headers, secrets)).toEqual({ ok: true });
    const [delivery] = await waitFor(async () => {
      const found = await tenantDeliveries(box.db, box.tenant.id).list({ jobId: id, limit: 5 });
      return found[0]?.status === "delivered" ? found : null;
    });
    expect(delivery!.tries).toMatchObject([{ status: 200, error: null, responseExcerpt: null }]);
  });

  test("tries a delivery again under the same id, and gives up when its schedule is used up", async () => {
    receiver.answer(() => ({ status: 500, body: "not today" }));
    const { id } = await box.create(QUICK, hook());
    dispatcher.poke("transcription");
    const requests = await receiver.waitForRequests(3, { timeoutMs: 15_000 });
    expect(new Set(requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(requests.map(({ body }) => body.toString())).size).toBe(1);
    const [delivery] = await waitFor(async () => {
      const found = await tenantDeliveries(box.db, box.tenant.id).list({ jobId: id, limit: 5 });
      return found[0]?.status === "failed" ? found : null;
    });
    expect(delivery!.tries.map(({ status }) => status)).toEqual([500, 500, 500]);
    expect(receiver.requests).toHaveLength(3);
  });

  test("is free for the next job two seconds after a cancel, though nobody told it", async () => {
    const { id } = await box.create(SLOW);
    dispatcher.poke("transcription");
    await waitFor(async () => (await box.jobs.segments(id)).length > 0);
    await box.jobs.cancel(id);
    const before = performance.now();
    await parts.held.empty();
    expect(performance.now() - before).toBeLessThan(2000);
  });

  test("lets go of a job that another took, and counts that", async () => {
    const { id } = await box.create({ ...QUICK, delay_ms: 60_000 });
    dispatcher.poke("transcription");
    await waitFor(() => parts.held.leases().length > 0);
    const counted = async () => (await parts.metrics.refusedWrites.get()).values[0]!.value;
    const before = await counted();
    await box.db.pool.query(
      "UPDATE jobs SET lease_epoch = lease_epoch + 1, lease_until = now() + interval '1 hour' WHERE id = $1",
      [id],
    );
    const takenAt = performance.now();
    await parts.held.empty();
    // Long before the lease would have been renewed.
    expect(performance.now() - takenAt).toBeLessThan(3000);
    expect(await counted()).toBe(before + 1);
    await box.jobs.cancel(id);
  });

  test("is free at once where it was told", async () => {
    const { id } = await box.create(SLOW);
    dispatcher.poke("transcription");
    await waitFor(async () => (await box.jobs.segments(id)).length > 0);
    await box.jobs.cancel(id);
    const before = performance.now();
    await parts.notifications.publishCancel(id);
    await parts.held.empty();
    expect(performance.now() - before).toBeLessThan(500);
  });

  test("takes nothing new while it drains, and lets the work in hand end", async () => {
    const first = await box.create({ ...QUICK, delay_ms: 400 });
    dispatcher.poke("transcription");
    await waitFor(() => parts.held.leases().length > 0);
    const second = await box.create(QUICK);
    const drained = roles[2]!.drain();
    dispatcher.poke("transcription");
    await drained;
    expect((await box.row(first.id)).status).toBe("completed");
    await delay(300);
    expect((await box.row(second.id)).status).toBe("pending");
    await box.jobs.cancel(second.id);
  });
});
