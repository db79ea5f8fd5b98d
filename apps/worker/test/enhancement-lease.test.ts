import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { claimEnhancement, tenantDeliveries } from "@scribe/database";
import { waitFor } from "@scribe/testing";
import { enhanceOne } from "../src/enhance-one.ts";
import { type EnhancementBench, openEnhancementBench } from "./enhancement-bench.ts";
import { openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
let bench: EnhancementBench;
beforeAll(async () => {
  box = await openWorkerBox();
}, 60_000);
afterAll(() => box.close());
beforeEach(async () => {
  bench = await openEnhancementBench(box);
});
afterEach(() => bench.close());

test("a worker that died is followed by another, which goes on after what was done", async () => {
  const id = await bench.create();
  bench.model.fail("hang", { after: 2 });
  const dying = bench.makeParts();
  const lost = enhanceOne(id, dying);
  await waitFor(async () => bench.model.calls.length === 3, { what: "the third question" });
  expect((await bench.row(id)).progress).toBe(66);
  // As time would: its lease ends, while it still believes in it.
  await box.db.pool.query("UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1", [id]);
  bench.start();
  const done = await bench.ends(id, "completed");
  expect(done).toMatchObject({ attempts: 0, leaseEpoch: 3 });
  expect(bench.model.calls).toHaveLength(4);
  dying.held.stopAll("lost");
  expect(await lost).toBe("dropped");
  expect((await bench.row(id)).status).toBe("completed");
});

test("whoever lost the lease writes nothing more", async () => {
  const id = await bench.create({ tasks: ["title"] });
  const parts = bench.makeParts();
  bench.model.answer = () => undefined;
  const stolen = {
    ...parts,
    settings: {
      ...parts.settings,
      chat: {
        model: "slow",
        complete: async (request: Parameters<typeof parts.settings.chat.complete>[0]) => {
          await box.db.pool.query("UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1", [
            id,
          ]);
          await claimEnhancement(box.db, id, { workerId: "other", leaseSeconds: 60 });
          return await parts.settings.chat.complete(request);
        },
      },
    },
  };
  expect(await enhanceOne(id, stolen)).toBe("dropped");
  expect(await bench.row(id)).toMatchObject({ status: "processing", leaseEpoch: 2, progress: 0 });
  await bench.mine().cancel(id);
});

test("cancelled means that its place is free within two seconds", async () => {
  const id = await bench.create();
  bench.model.fail("hang");
  const { held } = bench.start();
  await waitFor(async () => held.leases().length === 1, { what: "the claim" });
  const cancelledAt = Date.now();
  expect(await bench.mine().cancel(id)).toMatchObject({ outcome: "cancelled", row: { status: "cancelled" } });
  await held.empty();
  expect(Date.now() - cancelledAt).toBeLessThan(2000);
  expect(await bench.row(id)).toMatchObject({ status: "cancelled", error: null });
  expect(await tenantDeliveries(box.db, box.tenant.id).list({ jobId: id, limit: 10 })).toEqual([]);
});

test("at shutdown it is handed back, uncharged, with what was done", async () => {
  const id = await bench.create();
  bench.model.fail("hang", { after: 1 });
  bench.start();
  await waitFor(async () => bench.model.calls.length === 2, { what: "the second question" });
  bench.role?.abort();
  await bench.role?.drain();
  expect(await bench.row(id)).toMatchObject({ status: "processing", attempts: 0, crashes: 0, progress: 33 });
  await bench.role?.close();
  bench.start();
  await bench.ends(id, "completed");
  expect(bench.model.calls).toHaveLength(4);
});

test("leases that end five times in a row are poison", async () => {
  const id = await bench.create();
  for (let i = 0; i < 5; i++) {
    expect(await claimEnhancement(box.db, id, { workerId: "w", leaseSeconds: 60 })).not.toBeNull();
    await box.db.pool.query("UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1", [id]);
  }
  expect(await claimEnhancement(box.db, id, { workerId: "w", leaseSeconds: 60 })).toBeNull();
  expect(await bench.row(id)).toMatchObject({ status: "failed", error: { code: "worker_crashed" } });
});
