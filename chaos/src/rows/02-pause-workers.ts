import { setTimeout as sleep } from "node:timers/promises";
import { type Row, scaled } from "../row.ts";
import { allEnded, judge, newLedger, progress, submitMany } from "../stage/ledger.ts";
import { LEASE_SECONDS, openStage, SWEEP_SECONDS } from "../stage/open-stage.ts";

const WORKERS = 3;
/** Until others have surely taken the jobs over. */
const PAUSE_MS = (LEASE_SECONDS + 2 * SWEEP_SECONDS + 1) * 1000;

/** A worker is stopped in its tracks for longer than its lease, and wakes among others that have its jobs. */
export const pauseWorkers: Row = {
  number: 2,
  fault: "SIGSTOP beyond the lease",
  onPostgres: true,
  async run(options) {
    const jobs = scaled(100, options, 24);
    // Those that are awake must have room for all, or the sleeper wakes before anybody had its jobs.
    const stage = await openStage({
      backend: options.backend,
      workers: WORKERS,
      env: { WORKER_CONCURRENCY: String(jobs) },
    });
    const ledger = newLedger();
    const pauses = scaled(20, options, 2);
    try {
      // They last as long as there are pauses: a worker that has none in hand has nothing to lose.
      const windows = Math.ceil((pauses * PAUSE_MS) / 1000) + 5;
      await submitMany(stage, ledger, jobs, () => ({ windows, delayMs: 1_000 }));
      let faults = 0;
      for (; faults < pauses; faults++) {
        const { ended, total } = await progress(stage, ledger);
        if (ended === total) break;
        const worker = stage.workers[faults % WORKERS]!;
        worker.signal("SIGSTOP");
        await sleep(PAUSE_MS);
        worker.signal("SIGCONT");
        await sleep(500);
      }
      await allEnded(stage, ledger, 300_000);
      const verdict = await judge(stage, ledger);
      const refused = await stage.workerMetric("scribe_worker_refused_writes_total");
      const stopped = stage.workers.reduce((sum, worker) => sum + countStops(worker.output()), 0);
      if (refused === 0) verdict.unexpected.push("no write was refused, though leases ended");
      return {
        ...verdict,
        faults,
        notes: [`${refused} stale writes refused and counted`, `${stopped} attempts stopped themselves after waking`],
      };
    } finally {
      await stage.close();
    }
  },
};

function countStops(output: string): number {
  return [...output.matchAll(/the work stops|nothing was written/g)].length;
}
