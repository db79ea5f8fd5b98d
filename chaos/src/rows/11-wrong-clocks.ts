import { existsSync } from "node:fs";
import { type Row, scaled } from "../row.ts";
import { allEnded, judge, newLedger, submitMany } from "../stage/ledger.ts";
import { openStage } from "../stage/open-stage.ts";

const LIBRARIES = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((arch) => `/usr/lib/${arch}/faketime/libfaketime.so.1`);

/** Workers whose clocks are ten minutes ahead and behind: leases go by the database's, and nobody takes a job early. */
export const wrongClocks: Row = {
  number: 11,
  fault: "a worker's clock is 10 min off",
  async run(options) {
    const library = LIBRARIES.find((path) => existsSync(path));
    if (library === undefined) throw new Error("libfaketime is needed (Debian: apt-get install faketime).");
    // Longer than a starved process may be silent on a busy machine: only a clock can end this lease early.
    const env = { LEASE_SECONDS: "20" };
    const stage = await openStage({ backend: options.backend, workers: 3, env });
    const ledger = newLedger();
    try {
      const shifted = ["+10m", "-10m"];
      for (const [place, shift] of shifted.entries()) {
        await stage.workers[place]!.stop();
        await stage.startWorker(place, {
          env: { LD_PRELOAD: library, FAKETIME: shift, FAKETIME_DONT_FAKE_MONOTONIC: "1" },
        });
      }
      await submitMany(stage, ledger, scaled(50, options, 12), () => ({ windows: 20, delayMs: 200 }));
      await allEnded(stage, ledger, 180_000);
      const verdict = await judge(stage, ledger);
      const { rows } = await stage.pool.query<{ id: string; worker: string }>(
        "SELECT id, worker_id AS worker FROM jobs WHERE crashes > 0 OR lease_epoch > 1",
      );
      verdict.unexpected.push(...rows.map(({ id }) => `${id}: was taken from a worker that was alive`));
      const { rows: done } = await stage.pool.query<{ worker: string; jobs: number }>(
        "SELECT worker_id AS worker, count(*)::int AS jobs FROM jobs GROUP BY worker_id",
      );
      const of = (place: number) =>
        done.find(({ worker }) => worker.includes(`~${stage.workers[place]!.pid}~`))?.jobs ?? 0;
      const notes = [`jobs by worker: ${of(0)} (10 min ahead), ${of(1)} (10 min behind), ${of(2)} (right)`];
      if ([0, 1, 2].some((place) => of(place) === 0)) verdict.unexpected.push("a worker did nothing");
      return { ...verdict, faults: shifted.length, notes };
    } finally {
      await stage.close();
    }
  },
};
