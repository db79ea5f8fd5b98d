import { setTimeout as sleep } from "node:timers/promises";
import { flushRedis } from "./faults/flush-redis.ts";
import type { RowResult } from "./row.ts";
import { powerCut } from "./rows/12-kill-everything.ts";
import { allEnded, judge, newLedger, submitMany } from "./stage/ledger.ts";
import { LEASE_SECONDS, openStage } from "./stage/open-stage.ts";

const JOBS = 40;

/** Every kind of fault once, on one stage, under one stream of jobs: what a test run has the time for. */
export async function runShort({ log }: { log: (line: string) => void }): Promise<RowResult> {
  const stage = await openStage({ backend: "redis", workers: 2 });
  const ledger = newLedger();
  const faults: [what: string, strike: () => Promise<void>][] = [
    [
      "a worker is killed",
      async () => {
        stage.workers[0]!.signal("SIGKILL");
        await stage.startWorker(0);
      },
    ],
    ["Redis forgets everything", () => flushRedis(stage.redis!.port)],
    [
      "a worker sleeps beyond its lease",
      async () => {
        stage.workers[1]!.signal("SIGSTOP");
        await sleep((LEASE_SECONDS + 1) * 1000);
        stage.workers[1]!.signal("SIGCONT");
      },
    ],
    [
      "Postgres is killed",
      async () => {
        await stage.postgres.kill();
        await sleep(500);
        await stage.postgres.restart();
      },
    ],
    ["everything is killed", () => powerCut(stage)],
  ];
  try {
    const submitting = submitMany(stage, ledger, JOBS, (n) => ({ windows: 12, delayMs: 150, audio: n % 8 === 0 }));
    for (const [what, strike] of faults) {
      await sleep(700);
      log(what);
      await strike();
    }
    await submitting;
    await allEnded(stage, ledger, 60_000);
    const verdict = await judge(stage, ledger);
    return { ...verdict, faults: faults.length, notes: faults.map(([what]) => what) };
  } finally {
    await stage.close();
  }
}
