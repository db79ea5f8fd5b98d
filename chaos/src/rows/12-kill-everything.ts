import { setTimeout as sleep } from "node:timers/promises";
import { type Row, scaled } from "../row.ts";
import { allEnded, judge, newLedger, progress, submitMany } from "../stage/ledger.ts";
import { openStage, type Stage } from "../stage/open-stage.ts";

const WORKERS = 2;

/** API, workers, Redis and Postgres are killed in one moment, as when the power goes; then all are started again. */
export const killEverything: Row = {
  number: 12,
  fault: "all processes killed at once",
  async run(options) {
    const stage = await openStage({ backend: options.backend, workers: WORKERS });
    const ledger = newLedger();
    const instants = scaled(20, options, 1);
    const jobs = scaled(200, options, 20);
    let faults = 0;
    let idle = 0;
    try {
      const submitting = submitMany(stage, ledger, jobs, () => ({ windows: 12, delayMs: 150 }));
      for (; faults < instants; faults++) {
        await sleep(500 + Math.random() * 4_000);
        const { ended, total } = await progress(stage, ledger);
        if (ended === jobs && total === jobs) idle += 1;
        await powerCut(stage);
      }
      await submitting;
      await allEnded(stage, ledger, 300_000);
      const verdict = await judge(stage, ledger);
      const notes = [`${ledger.repeatedPosts} posts sent again`];
      if (idle > 0) notes.push(`${idle} of the cuts came after all jobs had ended`);
      return { ...verdict, faults, notes };
    } finally {
      await stage.close();
    }
  },
};

export async function powerCut(stage: Stage): Promise<void> {
  await Promise.all([
    ...[...stage.apis, ...stage.workers].map((child) => child.kill()),
    stage.redis?.kill(),
    stage.postgres.kill(),
  ]);
  await Promise.all([stage.postgres.restart(), stage.redis?.restart()]);
  await Promise.all([
    ...stage.apis.map((_, place) => stage.startApi(place)),
    ...stage.workers.map((_, place) => stage.startWorker(place)),
  ]);
}
