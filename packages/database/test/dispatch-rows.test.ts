import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  type DispatchedRow,
  dispatchRows,
  findUnclaimed,
  promoteAged,
  secondsUntilDue,
  undispatch,
} from "../src/index.ts";
import { aJob, type DatabaseBench, letLeaseRunOut, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
let tenants: Awaited<ReturnType<DatabaseBench["addTenant"]>>[];
beforeAll(async () => {
  bench = await openBench();
});
beforeEach(async () => {
  await bench.sql("TRUNCATE tenants CASCADE");
  tenants = [await bench.addTenant(), await bench.addTenant()];
});
afterAll(() => bench.close());

async function submit(count: number, tenant = 0, over = {}): Promise<string[]> {
  const made = [];
  for (let i = 0; i < count; i++) made.push((await tenants[tenant].jobs.create(aJob(over))).id);
  return made;
}

const dispatch = (window: number) => dispatchRows(bench.db, "transcription", window);
const inOrder = (rows: DispatchedRow[]) => [...rows].sort((a, b) => a.priority - b.priority).map(({ id }) => id);
const inWindow = async () => (await bench.sql("SELECT 1 FROM jobs WHERE dispatched_at IS NOT NULL")).length;

describe("the window", () => {
  test("is filled, oldest first, and never overfilled", async () => {
    const ids = await submit(10);
    expect(inOrder(await dispatch(4))).toEqual(ids.slice(0, 4));
    expect(await dispatch(4)).toEqual([]);
    expect(inOrder(await dispatch(6))).toEqual(ids.slice(4, 6));
    expect(await dispatch(0)).toEqual([]);
    await bench.claim(ids[0]);
    expect((await dispatch(6)).map(({ id }) => id)).toEqual([ids[6]]);
  });

  test("holds only what is due", async () => {
    const [later, running, lapsed, cancelled] = await submit(4);
    await bench.sql("UPDATE jobs SET next_run_at = now() + interval '1 hour' WHERE id = $1", [later]);
    await bench.claim(running);
    await bench.claim(lapsed);
    await letLeaseRunOut(bench, lapsed);
    await tenants[0].jobs.cancel(cancelled);
    expect((await dispatch(10)).map(({ id }) => id)).toEqual([lapsed]);
  });

  test("is never given a row twice, by many dispatchers at once", async () => {
    await submit(60);
    await submit(20, 1);
    for (const window of [16, 40, 200]) {
      const taken = (await Promise.all(Array.from({ length: 6 }, () => dispatch(window)))).flat();
      expect(new Set(taken.map(({ id }) => id)).size).toBe(taken.length);
      expect(await inWindow()).toBeLessThanOrEqual(window);
    }
    while ((await dispatch(200)).length > 0);
    const counts = await bench.sql("SELECT DISTINCT dispatch_count FROM jobs");
    expect(counts).toEqual([{ dispatch_count: 1 }]);
    expect(await inWindow()).toBe(80);
  });

  test("passes over rows that another is taking", async () => {
    const [held, free] = await submit(2);
    const client = await bench.db.pool.connect();
    await client.query("BEGIN");
    await client.query("SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE", [held]);
    expect((await dispatch(10)).map(({ id }) => id)).toEqual([free]);
    await client.query("ROLLBACK");
    client.release();
    expect((await dispatch(10)).map(({ id }) => id)).toEqual([held]);
  });
});

describe("the order", () => {
  test("is priority first, however late it comes", async () => {
    const [low] = await submit(1, 0, { priority: 3 });
    const [normal] = await submit(1);
    const [high] = await submit(1, 0, { priority: 1 });
    const rows = await dispatch(10);
    expect(inOrder(rows)).toEqual([high, normal, low]);
    for (const { priority } of rows) {
      expect(priority).toBeGreaterThanOrEqual(1);
      // The most that BullMQ takes.
      expect(priority).toBeLessThanOrEqual(2 ** 21);
    }
  });

  test("is then fair: a tenant with few is not kept waiting by another's many", async () => {
    await submit(40);
    const few = await submit(2, 1);
    const order = inOrder(await dispatch(8));
    expect(order.slice(0, 4)).toContain(few[0]);
    expect(order.slice(0, 6)).toContain(few[1]);
    expect(order).toHaveLength(8);
  });

  test("counts what a tenant has running or in the window already", async () => {
    for (const id of await submit(3)) await bench.claim(id);
    await submit(3);
    await dispatch(3);
    const [own] = await submit(1);
    const [others] = await submit(1, 1);
    expect(inOrder(await dispatch(5))).toEqual([others, own]);
  });

  test("lets a late, fairer row overtake those in the window", async () => {
    await submit(5);
    const early = await dispatch(10);
    await submit(1, 1);
    const [late] = await dispatch(10);
    const overtaken = early.filter(({ priority }) => priority > late.priority);
    expect(overtaken).toHaveLength(4);
  });

  test("keeps a class apart, whatever a tenant's share is", async () => {
    await submit(30, 0, { priority: 1 });
    await submit(1, 1, { priority: 2 });
    const order = inOrder(await dispatch(100));
    const [{ id: normal }] = await bench.sql<{ id: string }>("SELECT id FROM jobs WHERE priority = 2");
    expect(order.at(-1)).toBe(normal);
  });
});

describe("ageing", () => {
  const HOUR = 3600;
  const ageing = (window: number) => dispatchRows(bench.db, "transcription", window, { ageingSeconds: HOUR });
  const grow = (id: string, hours: number) =>
    bench.sql("UPDATE jobs SET created_at = created_at - $2 * interval '1 hour' WHERE id = $1", [id, hours]);

  test("lifts a job by a class for each time that it has waited, and never above the highest", async () => {
    const [oldest] = await submit(1, 0, { priority: 3 });
    const [old] = await submit(1, 0, { priority: 3 });
    const [low] = await submit(1, 0, { priority: 3 });
    const [normal] = await submit(1);
    const [high] = await submit(1, 0, { priority: 1 });
    await grow(oldest, 9);
    await grow(old, 1.5);
    const rows = await ageing(10);
    expect(inOrder(rows)).toEqual([oldest, high, old, normal, low]);
    expect(Math.max(...rows.map(({ priority }) => priority))).toBeLessThanOrEqual(2 ** 21);
    expect(Math.min(...rows.map(({ priority }) => priority))).toBeGreaterThanOrEqual(1);
  });

  test("is off where nobody asks for it", async () => {
    const [low] = await submit(1, 0, { priority: 3 });
    await grow(low, 100);
    const [normal] = await submit(1);
    expect(inOrder(await dispatch(10))).toEqual([normal, low]);
    expect(await promoteAged(bench.db, 0)).toBe(0);
  });

  test("sends what has aged in the window once more, in its new class", async () => {
    const [low, high] = [...(await submit(1, 0, { priority: 3 })), ...(await submit(1, 0, { priority: 1 }))];
    const [first] = (await ageing(10)).filter(({ id }) => id === low);
    expect(await promoteAged(bench.db, HOUR)).toBe(0);
    await grow(low, 1);
    await grow(high, 50);
    expect(await promoteAged(bench.db, HOUR)).toBe(0);
    // As if it had been sent an hour ago.
    await bench.sql("UPDATE jobs SET dispatched_at = dispatched_at - interval '1 hour'");
    expect(await promoteAged(bench.db, HOUR)).toBe(1);
    const [again, ...others] = await ageing(10);
    expect(others).toEqual([]);
    expect(again).toMatchObject({ id: low, dispatch: 2 });
    expect(again.priority).toBeLessThan(first.priority);
  });

  test("lets no flood of higher jobs keep a low one waiting for ever", async () => {
    const [low] = await submit(1, 0, { priority: 3 });
    await submit(8, 0, { priority: 1 });
    expect((await ageing(4)).map(({ id }) => id)).not.toContain(low);
    for (const { id } of await bench.sql<{ id: string }>("SELECT id FROM jobs WHERE dispatched_at IS NOT NULL")) {
      await bench.claim(id);
    }
    await grow(low, 3);
    expect(inOrder(await ageing(4))[0]).toBe(low);
  });
});

describe("a full window", () => {
  test("still takes the first job of a tenant that has none at work", async () => {
    await submit(20);
    await dispatch(8);
    const others = await submit(3, 1);
    const extra = await dispatch(8);
    expect(extra.map(({ id }) => id)).toEqual([others[0]]);
    // Only once: its next one waits for a place, as all others do.
    expect(await dispatch(8)).toEqual([]);
    expect(await inWindow()).toBe(9);
  });

  test("still takes the first of a higher class than all in it", async () => {
    await submit(20);
    await dispatch(8);
    const [high] = await submit(2, 0, { priority: 1 });
    expect(inOrder(await dispatch(8))).toEqual([high]);
    expect(await dispatch(8)).toEqual([]);
  });

  test("holds no place for a first job that would overtake nothing", async () => {
    await submit(20, 0, { priority: 1 });
    await dispatch(8);
    await submit(1, 1);
    expect(await dispatch(8)).toEqual([]);
  });

  test("is at most twice its size, however many tenants come", async () => {
    await submit(20);
    await dispatch(3);
    for (let n = 0; n < 6; n++) await (await bench.addTenant()).jobs.create(aJob());
    expect(await dispatch(3)).toHaveLength(3);
    expect(await dispatch(3)).toEqual([]);
  });

  test("still keeps to a tenant's limit", async () => {
    await submit(20);
    await dispatch(4);
    await bench.sql(`UPDATE tenants SET limits = '{"concurrent_jobs": 4}'`);
    await submit(1, 0, { priority: 1 });
    expect(await dispatch(4)).toEqual([]);
  });
});

describe("what was sent and not claimed", () => {
  const age = (id: string) =>
    bench.sql("UPDATE jobs SET dispatched_at = dispatched_at - interval '1 minute' WHERE id = $1", [id]);

  test("is found after a while, and sent again as another message", async () => {
    const [old, young, claimed] = await submit(3);
    await dispatch(10);
    await age(old);
    await age(claimed);
    await bench.claim(claimed);
    const unclaimed = await findUnclaimed(bench.db, "transcription", 30);
    expect(unclaimed).toEqual([{ id: old, dispatch: 1 }]);
    expect(await undispatch(bench.db, "transcription", unclaimed)).toBe(1);
    expect(await dispatch(10)).toMatchObject([{ id: old, dispatch: 2 }]);
    expect(young).not.toBe(old);
  });

  test("stays where it was sent again in between", async () => {
    const [id] = await submit(1);
    await dispatch(10);
    await undispatch(bench.db, "transcription", [{ id, dispatch: 1 }]);
    await dispatch(10);
    expect(await undispatch(bench.db, "transcription", [{ id, dispatch: 1 }])).toBe(0);
    expect(await undispatch(bench.db, "transcription", [])).toBe(0);
    expect(await inWindow()).toBe(1);
  });
});

test("the time until the next row is due is known", async () => {
  expect(await secondsUntilDue(bench.db, "transcription")).toBeNull();
  const [later, running] = await submit(2);
  await bench.sql("UPDATE jobs SET next_run_at = now() + interval '100 seconds' WHERE id = $1", [later]);
  expect(await secondsUntilDue(bench.db, "transcription")).toBe(0);
  await bench.claim(running, 50);
  const seconds = await secondsUntilDue(bench.db, "transcription");
  expect(seconds).toBeGreaterThan(40);
  expect(seconds).toBeLessThanOrEqual(50);
  await tenants[0].jobs.cancel(running);
  expect(await secondsUntilDue(bench.db, "transcription")).toBeGreaterThan(90);
});
