import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "@scribe/testing";
import { flushRedis } from "../faults/flush-redis.ts";
import { type Row, type RowOptions, type RowResult, scaled } from "../row.ts";
import { allEnded, judge, type Ledger, newLedger, progress, submitMany } from "../stage/ledger.ts";
import { openStage, type Stage, SWEEP_SECONDS } from "../stage/open-stage.ts";

const WORKERS = 3;

/** Redis dies with and without what it wrote down, and forgets all while deliveries wait for their retries. */
export const loseRedis: Row = {
  number: 3,
  fault: "Redis kill -9 with AOF and without, FLUSHALL",
  async run(options) {
    const withAof = await killing("aof", options);
    const without = await killing("none", options);
    const flushed = await flushing(options);
    const parts = [withAof, without, flushed];
    const sum = (name: "jobs" | "lost" | "duplicated" | "recovered" | "faults") =>
      parts.reduce((total, part) => total + part[name], 0);
    return {
      ...{ jobs: sum("jobs"), lost: sum("lost"), duplicated: sum("duplicated"), recovered: sum("recovered") },
      faults: sum("faults"),
      unexpected: parts.flatMap((part) => part.unexpected),
      notes: parts.flatMap((part) => part.notes),
    };
  },
};

async function killing(persistence: "aof" | "none", options: RowOptions): Promise<RowResult> {
  const stage = await openStage({ backend: "redis", persistence, workers: WORKERS });
  const ledger = newLedger();
  try {
    const jobs = scaled(persistence === "aof" ? 300 : 100, options, 20);
    const submitting = submitMany(stage, ledger, jobs, () => ({ windows: 6, delayMs: 200 }));
    const kills = persistence === "aof" ? scaled(5, options, 1) : 1;
    const slowest = [];
    for (let faults = 0; faults < kills; faults++) {
      await sleep(1_500);
      await stage.redis!.kill();
      await sleep(1_000);
      await stage.redis!.restart();
      slowest.push(await untilBackToWork(stage, ledger));
    }
    await submitting;
    await allEnded(stage, ledger, 180_000);
    const verdict = await judge(stage, ledger);
    return withSweeps({ ...verdict, faults: kills, notes: [] }, `Redis (${persistence}) killed`, slowest);
  } finally {
    await stage.close();
  }
}

async function flushing(options: RowOptions): Promise<RowResult> {
  const stage = await openStage({
    backend: "redis",
    workers: WORKERS,
    env: { WEBHOOK_RETRY_SCHEDULE: "4,4,4,4,4,4,4,4" },
  });
  const ledger = newLedger();
  try {
    const waiting = scaled(200, options, 20);
    let healthy = false;
    stage.receiver.answer(() => ({ status: healthy ? 200 : 500 }));
    await submitMany(stage, ledger, waiting, () => ({ windows: 1, delayMs: 0 }));
    await allEnded(stage, ledger, 120_000);
    const count = async () => {
      const { rows } = await stage.pool.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM webhook_deliveries WHERE status = 'pending'",
      );
      return rows[0]!.count;
    };
    const pending = await count();
    const submitting = submitMany(stage, ledger, scaled(100, options, 10), () => ({ windows: 6, delayMs: 100 }));
    await sleep(1_000);
    await flushRedis(stage.redis!.port);
    healthy = true;
    const slowest = [await untilBackToWork(stage, ledger)];
    await submitting;
    await allEnded(stage, ledger, 120_000);
    await waitFor(async () => (await count()) === 0, { timeoutMs: 120_000, what: "all deliveries" }).catch(
      () => undefined,
    );
    const verdict = await judge(stage, ledger);
    const result = {
      ...verdict,
      faults: 1,
      notes: [`${pending} deliveries waited for a retry when Redis was flushed`],
    };
    return withSweeps(result, "FLUSHALL", slowest);
  } finally {
    await stage.close();
  }
}

/** Milliseconds until another job ends, or none is left. */
async function untilBackToWork(stage: Stage, ledger: Ledger): Promise<number> {
  const startedAt = performance.now();
  const before = await progress(stage, ledger);
  await waitFor(
    async () => {
      const now = await progress(stage, ledger);
      return now.ended > before.ended || now.ended === now.total;
    },
    { timeoutMs: 60_000, everyMs: 50, what: "work to go on" },
  );
  return performance.now() - startedAt;
}

function withSweeps(result: RowResult, what: string, times: number[]): RowResult {
  const slowest = Math.max(...times) / 1000;
  // A second on top for the window itself: a job in flight takes about that.
  if (slowest > 2 * SWEEP_SECONDS + 2)
    result.unexpected.push(`${what}: back to work only after ${slowest.toFixed(1)} s`);
  result.notes.push(`${what}: back to work after ${slowest.toFixed(1)} s at most`);
  return result;
}
