import { expect, test } from "@jest/globals";
import { createHeldJobs } from "../src/held-jobs.ts";

test("held jobs are stopped one by one, by lease, or all", async () => {
  const counts: number[] = [];
  const held = createHeldJobs((count) => counts.push(count));
  await held.empty();
  const [one, two, three] = [1, 2, 1].map((epoch, i) =>
    held.add({ jobId: i === 1 ? "b" : i === 0 ? "a" : "c", epoch }),
  );
  held.stopJob("a", "cancelled");
  held.stopLease({ jobId: "b", epoch: 1 }, "cancelled");
  expect([one, two].map((place) => place!.signal.aborted)).toEqual([true, false]);
  held.stopLease({ jobId: "b", epoch: 2 }, "cancelled");
  expect(two!.signal.reason).toMatchObject({ reason: "cancelled" });
  held.stopAll("shutdown");
  expect(three!.signal.reason).toMatchObject({ reason: "shutdown" });
  expect(held.add({ jobId: "d", epoch: 1 }).signal.aborted).toBe(true);
  expect(held.leases()).toHaveLength(4);
  expect(counts).toEqual([1, 2, 3, 4]);
});

test("whoever waits for the last job to end is told", async () => {
  const held = createHeldJobs();
  const place = held.add({ jobId: "a", epoch: 1 });
  let empty = false;
  const waiting = held.empty().then(() => {
    empty = true;
  });
  await Promise.resolve();
  expect(empty).toBe(false);
  place.remove();
  await waiting;
});
