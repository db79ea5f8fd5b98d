import { setTimeout as sleep } from "node:timers/promises";
import { type Row, scaled } from "../row.ts";
import { allEnded, judge, newLedger, progress, submitMany, undisturbed } from "../stage/ledger.ts";
import { openStage } from "../stage/open-stage.ts";
import { findProcesses } from "../stage/orphans.ts";

const WORKERS = 4;
const EVERY_MS = 2_000;
const ORPHAN_LIMIT_MS = 5_000;
/** Four workers with a model on two cores: one job and one thread each, or no first window ever ends in two seconds. */
const WITH_MODEL = { WORKER_CONCURRENCY: "1", INTRA_OP_THREADS: "1" };

/** A random worker is killed every two seconds, and another takes its place. One job of ten has a recording to decode. */
export const killWorkers: Row = {
  number: 1,
  fault: "kill -9 of a random worker every 2 s",
  onPostgres: true,
  withModel: true,
  async run(options) {
    const stage = await openStage({
      backend: options.backend,
      workers: WORKERS,
      env: options.real ? WITH_MODEL : {},
    });
    const ledger = newLedger();
    let faults = 0;
    try {
      const jobs = options.real ? 20 : scaled(500, options, 20);
      const said = options.real ? await undisturbed(stage) : undefined;
      const submitting = submitMany(stage, ledger, jobs, (n) => ({
        windows: 8,
        delayMs: 250,
        audio: n % 10 === 0,
        ...(said !== undefined && { said }),
      }));
      const over = async () => ledger.accepted.size === jobs && (await progress(stage, ledger)).ended === jobs;
      const deadline = Date.now() + 600_000;
      while (!(await over()) && Date.now() < deadline) {
        await sleep(EVERY_MS);
        // Of those that are up: on a machine so busy that starting takes longer than living, nobody would ever work.
        const up = [...stage.workers.keys()].filter((place) => /the worker is up/.test(stage.workers[place]!.output()));
        const place = up[Math.floor(Math.random() * up.length)];
        if (place === undefined) continue;
        stage.workers[place]!.signal("SIGKILL");
        faults += 1;
        await stage.startWorker(place, { atOnce: true });
      }
      await submitting;
      await allEnded(stage, ledger, 60_000);
      const verdict = await judge(stage, ledger);
      for (const worker of stage.workers) worker.signal("SIGKILL");
      await sleep(ORPHAN_LIMIT_MS);
      for (const api of stage.apis) await api.kill();
      const orphans = findProcesses(stage.groups, [stage.dataDir]);
      return {
        ...verdict,
        unexpected: [...verdict.unexpected, ...orphans.map((line) => `orphan: ${line}`)],
        faults,
        notes: [`${orphans.length} orphaned processes 5 s after the last kill`],
      };
    } finally {
      await stage.close();
    }
  },
};
