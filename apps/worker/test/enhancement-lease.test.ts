import { expect, test } from "@jest/globals";
import { claimEnhancement, tenantDeliveries } from "@scribe/database";
import { waitFor } from "@scribe/testing";
import { enhanceOne } from "../src/enhance-one.ts";
import { useEnhancementBench } from "./enhancement-bench.ts";

const here = useEnhancementBench();

test("a worker that died is followed by another, which goes on after what was done", async () => {
  const id = await here.bench.create();
  here.bench.model.fail("hang", { after: 2 });
  const dying = here.bench.makeParts();
  const lost = enhanceOne(id, dying);
  await waitFor(async () => here.bench.model.calls.length === 3, { what: "the third question" });
  expect((await here.bench.row(id)).progress).toBe(66);
  // As time would: its lease ends, while it still believes in it.
  await here.box.db.pool.query("UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1", [id]);
  here.bench.start();
  const done = await here.bench.ends(id, "completed");
  expect(done).toMatchObject({ attempts: 0, leaseEpoch: 3 });
  expect(here.bench.model.calls).toHaveLength(4);
  dying.held.stopAll("lost");
  expect(await lost).toBe("dropped");
  expect((await here.bench.row(id)).status).toBe("completed");
});

test("whoever lost the lease writes nothing more", async () => {
  const id = await here.bench.create({ tasks: ["title"] });
  const parts = here.bench.makeParts();
  here.bench.model.answer = () => undefined;
  const stolen = {
    ...parts,
    settings: {
      ...parts.settings,
      chat: {
        model: "slow",
        complete: async (request: Parameters<typeof parts.settings.chat.complete>[0]) => {
          await here.box.db.pool.query(
            "UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1",
            [id],
          );
          await claimEnhancement(here.box.db, id, { workerId: "other", leaseSeconds: 60 });
          return await parts.settings.chat.complete(request);
        },
      },
    },
  };
  expect(await enhanceOne(id, stolen)).toBe("dropped");
  expect(await here.bench.row(id)).toMatchObject({ status: "processing", leaseEpoch: 2, progress: 0 });
  await here.bench.mine().cancel(id);
});

test("cancelled means that its place is free within two seconds", async () => {
  const id = await here.bench.create();
  here.bench.model.fail("hang");
  const { held } = here.bench.start();
  await waitFor(async () => held.leases().length === 1, { what: "the claim" });
  const cancelledAt = Date.now();
  expect(await here.bench.mine().cancel(id)).toMatchObject({ outcome: "cancelled", row: { status: "cancelled" } });
  await held.empty();
  expect(Date.now() - cancelledAt).toBeLessThan(2000);
  expect(await here.bench.row(id)).toMatchObject({ status: "cancelled", error: null });
  expect(await tenantDeliveries(here.box.db, here.box.tenant.id).list({ jobId: id, limit: 10 })).toEqual([]);
});

test("at shutdown it is handed back, uncharged, with what was done", async () => {
  const id = await here.bench.create();
  here.bench.model.fail("hang", { after: 1 });
  here.bench.start();
  await waitFor(async () => here.bench.model.calls.length === 2, { what: "the second question" });
  here.bench.role?.abort();
  await here.bench.role?.drain();
  expect(await here.bench.row(id)).toMatchObject({ status: "processing", attempts: 0, crashes: 0, progress: 33 });
  await here.bench.role?.close();
  here.bench.start();
  await here.bench.ends(id, "completed");
  expect(here.bench.model.calls).toHaveLength(4);
});

test("leases that end five times in a row are poison", async () => {
  const id = await here.bench.create();
  for (let i = 0; i < 5; i++) {
    expect(await claimEnhancement(here.box.db, id, { workerId: "w", leaseSeconds: 60 })).not.toBeNull();
    await here.box.db.pool.query("UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1", [
      id,
    ]);
  }
  expect(await claimEnhancement(here.box.db, id, { workerId: "w", leaseSeconds: 60 })).toBeNull();
  expect(await here.bench.row(id)).toMatchObject({ status: "failed", error: { code: "worker_crashed" } });
});
