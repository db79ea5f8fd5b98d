import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { tenantDeliveries, tenantEndpoints } from "@scribe/database";
import { createDispatcher, type Dispatcher, openQueues, type QueueKind, type Queues } from "@scribe/queue";
import { type Receiver, startReceiver, waitFor } from "@scribe/testing";
import type { Role } from "../src/roles/role.ts";
import type { WebhookSettings } from "../src/roles/webhooks.ts";
import { startWebhooks } from "../src/roles/webhooks.ts";
import { log, openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
let queues: Queues;
let dispatcher: Dispatcher;
let receiver: Receiver;
let role: Role;

beforeAll(async () => {
  box = await openWorkerBox();
});
afterAll(() => box.close());
beforeEach(async () => {
  receiver = await startReceiver();
  queues = await openQueues({ db: box.db, log });
  dispatcher = createDispatcher({ db: box.db, queues, log, sweepSeconds: 60 });
  role = start();
});
afterEach(async () => {
  role.abort();
  await role.drain();
  await role.close();
  await dispatcher.stop();
  await queues.close();
  await receiver.stop();
});

const start = (more: Partial<WebhookSettings> = {}): Role => {
  const parts = { ...box.parts, poke: (kind: QueueKind) => dispatcher.poke(kind) };
  return startWebhooks(parts, {
    queues,
    outbound: box.parts.outbound,
    scheduleSeconds: [0.2],
    concurrency: 32,
    ...more,
  });
};

/** Cancelled jobs tell their receiver; nobody has to work on them. */
async function tell(count: number, path = "/hook"): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    const { id } = await box.create({}, { webhookUrl: `${receiver.url}${path}`, webhookEvents: ["job.cancelled"] });
    await box.jobs.cancel(id);
    ids.push(id);
  }
  dispatcher.poke("webhooks");
  return ids;
}
const deliveries = tenantDeliveries;
const deliveryOf = async (jobId: string) => (await deliveries(box.db, box.tenant.id).list({ jobId, limit: 1 }))[0]!;
const ends = (jobId: string, status: string) =>
  waitFor(async () => (await deliveryOf(jobId)).status === status, { what: `the delivery to be ${status}` });

test("410 disables the endpoint: later deliveries are skipped, until it is enabled", async () => {
  receiver.answer([{ status: 410 }]);
  const [gone] = await tell(1, "/gone");
  await ends(gone!, "failed");
  const [later] = await tell(1, "/gone?again");
  expect((await deliveryOf(later!)).status).toBe("skipped");
  expect(receiver.requests).toHaveLength(1);
  const endpoints = tenantEndpoints(box.db, box.tenant.id);
  const [endpoint] = await endpoints.list(1);
  await endpoints.enable(endpoint!.id);
  const [after] = await tell(1, "/gone");
  await ends(after!, "delivered");
});

test("an endpoint has at most four tries at once, and a slow one holds up no other", async () => {
  let atOnce = 0;
  let most = 0;
  receiver.answer(({ path }) => {
    if (path !== "/slow") return { status: 200 };
    most = Math.max(most, ++atOnce);
    setTimeout(() => atOnce--, 150);
    return { status: 200, delayMs: 150 };
  });
  const slow = await tell(12, "/slow");
  const [other] = await tell(1, "/other");
  await ends(other!, "delivered");
  expect((await deliveryOf(slow.at(-1)!)).status).toBe("pending");
  for (const id of slow) await ends(id, "delivered");
  expect(most).toBe(4);
});

test("WEBHOOK_CONCURRENCY: so many are under way at once, and no more", async () => {
  role.abort();
  await role.drain();
  await role.close();
  role = start({ concurrency: 3 });
  let atOnce = 0;
  let most = 0;
  receiver.answer(() => {
    most = Math.max(most, ++atOnce);
    setTimeout(() => atOnce--, 100);
    return { status: 200, delayMs: 100 };
  });
  const paths = Array.from({ length: 9 }, (_, at) => `/of-its-own-${at}`);
  for (const id of await Promise.all(paths.map(async (path) => (await tell(1, path))[0]!))) await ends(id, "delivered");
  expect(most).toBe(3);
});

test("Retry-After is waited for", async () => {
  receiver.answer([{ status: 503, headers: { "retry-after": "1" } }]);
  const [id] = await tell(1);
  await ends(id!, "delivered");
  const [first, second] = receiver.requests;
  expect(second!.receivedAt.getTime() - first!.receivedAt.getTime()).toBeGreaterThanOrEqual(1000);
});

test("a try that our own end cuts off is given back uncharged, and made by another at once", async () => {
  receiver.answer(["hang"]);
  const [id] = await tell(1);
  await receiver.waitForRequests(1);
  role.abort();
  await role.drain();
  await role.close();
  expect(await deliveryOf(id!)).toMatchObject({ status: "pending", attempts: 0, leaseUntil: null });
  role = start();
  dispatcher.poke("webhooks");
  await ends(id!, "delivered");
  const [first, second] = receiver.requests.map(({ headers }) => headers["webhook-id"]);
  expect(second).toBe(first);
});
