import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  claimDelivery,
  completeJob,
  dispatchRows,
  finishDeliveryTry,
  handBackDelivery,
  rotateWebhookSecret,
  secondsUntilDue,
  tenantDeliveries,
  tenantEndpoints,
  webhookSecrets,
} from "../src/index.ts";
import { anOutcome, type DatabaseBench, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());
beforeEach(async () => {
  await bench.sql("TRUNCATE webhook_endpoints, webhook_deliveries CASCADE");
});

const HOOK = "https://receiver.example/hook";

/** A delivery of a job that has just completed. */
async function aDelivery(url = HOOK) {
  const job = await bench.running({ webhookUrl: url, webhookEvents: ["job.completed"] });
  await completeJob(bench.db, job.lease, anOutcome());
  const [delivery] = await bench.deliveries(job.id);
  return delivery!;
}
const claim = (id: string) => claimDelivery(bench.db, id, { leaseSeconds: 30 });
const statusOf = async (id: string) =>
  (await bench.sql<{ status: string }>("SELECT status FROM webhook_deliveries WHERE id = $1", [id]))[0]!.status;
const deliveries = () => tenantDeliveries(bench.db, bench.tenant.id);
const endpoints = () => tenantEndpoints(bench.db, bench.tenant.id);

async function finish(id: string, outcome: "delivered" | "failed" | "gone" | { retryInSeconds: number }) {
  const { leaseEpoch } = (await claim(id))!;
  await finishDeliveryTry(bench.db, { id, epoch: leaseEpoch }, { status: 200, durationMs: 1, outcome });
}

describe("an endpoint", () => {
  test("is the origin and path of an address; the query is not shown", async () => {
    for (const url of [`${HOOK}?token=1`, `${HOOK}?token=2`, "https://receiver.example:8443/hook"])
      await aDelivery(url);
    const found = await endpoints().list(10);
    expect(found.map(({ origin, path, pending }) => [origin, path, pending])).toEqual([
      ["https://receiver.example:8443", "/hook", 1],
      ["https://receiver.example", "/hook", 2],
    ]);
  });

  test("takes an address longer than an index entry", async () => {
    await aDelivery(`https://receiver.example/${"x".repeat(8000)}`);
    expect((await endpoints().list(1))[0]!.path).toHaveLength(8001);
  });

  test("that is gone has what waits and what comes skipped, until it is enabled", async () => {
    const [gone, waiting, other] = [await aDelivery(), await aDelivery(), await aDelivery("https://else.example/")];
    await finish(gone.id, "gone");
    expect(await Promise.all([gone, waiting, other].map(({ id }) => statusOf(id)))).toEqual([
      "failed",
      "skipped",
      "pending",
    ]);
    const later = await aDelivery(`${HOOK}?other`);
    expect(await statusOf(later.id)).toBe("skipped");
    const [endpoint] = await endpoints().list(1);
    expect(endpoint).toMatchObject({ reason: "The receiver answered 410.", disabledAt: expect.any(Date) });

    expect(await deliveries().redeliver(later.id)).toBe("disabled");
    expect(await endpoints().enable(endpoint!.id)).toMatchObject({ disabledAt: null, reason: null });
    expect(await statusOf((await aDelivery()).id)).toBe("pending");
    expect(await statusOf(later.id)).toBe("skipped");
    expect(await deliveries().redeliver(later.id)).toMatchObject({ id: later.id, status: "pending" });
  });

  test("that is disabled between dispatch and claim has the delivery skipped by its claim", async () => {
    const { id } = await aDelivery();
    await bench.sql("UPDATE webhook_endpoints SET disabled_at = now()");
    expect(await claim(id)).toBeNull();
    expect(await statusOf(id)).toBe("skipped");
  });

  test("of another tenant is neither listed nor enabled", async () => {
    await aDelivery();
    const [endpoint] = await endpoints().list(1);
    const theirs = tenantEndpoints(bench.db, (await bench.addTenant()).id);
    expect(await theirs.list(10)).toEqual([]);
    expect(await theirs.enable(endpoint!.id)).toBeNull();
  });

  test("has at most four tries in the window or under way, and does not hold up others", async () => {
    const slow: string[] = [];
    for (let i = 0; i < 10; i++) slow.push((await aDelivery()).id);
    const other = await aDelivery("https://else.example/");
    const window = async () => (await Promise.all([1, 2, 3].map(() => dispatchRows(bench.db, "webhooks", 64)))).flat();
    const first = await window();
    expect(first).toHaveLength(5);
    expect(first.map(({ id }) => id)).toContain(other.id);
    expect(await window()).toEqual([]);
    // Claimed is under way: still four.
    const [one] = first.filter(({ id }) => id !== other.id);
    const claimed = (await claim(one!.id))!;
    expect(await window()).toEqual([]);
    const held = { id: one!.id, epoch: claimed.leaseEpoch };
    await finishDeliveryTry(bench.db, held, { status: 200, durationMs: 1, outcome: "delivered" });
    expect(await window()).toHaveLength(1);
    // What waits for a place does not hide what is due later.
    expect(await secondsUntilDue(bench.db, "webhooks")).toBe(0);
    await bench.sql(
      "UPDATE webhook_deliveries SET next_run_at = now() - interval '1 minute' WHERE dispatched_at IS NULL",
    );
    expect(await secondsUntilDue(bench.db, "webhooks", 1)).toBeNull();
  });
});

describe("a delivery", () => {
  test("that its worker gives back is tried at once by another, uncharged; a late answer of the first is refused", async () => {
    const { id } = await aDelivery();
    const held = { id, epoch: (await claim(id))!.leaseEpoch };
    expect(await handBackDelivery(bench.db, held)).toBe(true);
    expect(await handBackDelivery(bench.db, held)).toBe(false);
    expect(await finishDeliveryTry(bench.db, held, { status: 200, durationMs: 1, outcome: "delivered" })).toBe(false);
    expect(await claim(id)).toMatchObject({ attempts: 0 });
  });

  test("that is redelivered has the same id and body, and its schedule from the start", async () => {
    const { id, body } = await aDelivery();
    await finish(id, { retryInSeconds: 0 });
    await finish(id, "failed");
    expect(await claim(id)).toBeNull();
    const shown = await deliveries().redeliver(id);
    expect(shown).toMatchObject({ id, status: "pending", finishedAt: null, tries: [{}, {}] });
    expect(await claim(id)).toMatchObject({ id, body, attempts: 0 });
    // Under way: it is not taken from the worker that tries it.
    await deliveries().redeliver(id);
    expect(await claim(id)).toBeNull();
    expect(await tenantDeliveries(bench.db, (await bench.addTenant()).id).redeliver(id)).toBeNull();
  });
});

test("pings are counted a tenant and minute, whoever counts at once, and are tried by no worker", async () => {
  const begun = await Promise.all(Array.from({ length: 15 }, () => deliveries().beginPing(HOOK, 10)));
  const pings = begun.filter((ping) => ping !== null);
  expect(pings).toHaveLength(10);
  expect(JSON.parse(pings[0]!.body)).toMatchObject({ type: "ping", data: {} });
  expect(await dispatchRows(bench.db, "webhooks", 64)).toEqual([]);
  await deliveries().endPing(pings[0]!.id, { delivered: false, status: 500, durationMs: 3.7, error: "no" });
  const failed = await deliveries().list({ status: "failed", limit: 10 });
  expect(failed).toMatchObject([
    { id: pings[0]!.id, type: "ping", tries: [{ status: 500, durationMs: 4, error: "no" }] },
  ]);
  const other = await bench.addTenant();
  expect(await tenantDeliveries(bench.db, other.id).beginPing(HOOK, 10)).not.toBeNull();
});

test("a rotated secret signs beside the new one for a day", async () => {
  const { id } = await bench.addTenant();
  const [before] = await webhookSecrets(bench.db, id);
  const both = await rotateWebhookSecret(bench.db, id);
  expect(both).toEqual([expect.stringMatching(/^whsec_/), before]);
  expect(both[0]).not.toBe(before);
  await bench.sql("UPDATE tenants SET webhook_secret_rotated_at = now() - interval '25 hours' WHERE id = $1", [id]);
  expect(await webhookSecrets(bench.db, id)).toEqual([both[0]]);
});
