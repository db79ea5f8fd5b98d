import { setTimeout as sleep } from "node:timers/promises";
import { type Row, scaled } from "../row.ts";
import { allEnded, judge, newLedger, submitMany, undisturbed } from "../stage/ledger.ts";
import { openStage } from "../stage/open-stage.ts";

/** The worker's named places; `SCRIBE_FAILPOINTS` knows them. */
const POINTS = ["after-claim", "after-fetch", "after-decode", "after-window", "before-commit", "after-commit"];
const AT_ONCE = 4;

/** The process dies at each named step of a job's way, again and again, as by a power cut. */
export const crashAtSteps: Row = {
  number: 5,
  fault: "crash at each named step",
  onPostgres: true,
  withModel: true,
  async run(options) {
    const stage = await openStage({ backend: options.backend, workers: AT_ONCE });
    const ledger = newLedger();
    // With the model: 20 jobs in all, and twice at each step.
    const each = options.real ? 2 : scaled(20, options, 1);
    const counts: string[] = [];
    let faults = 0;
    try {
      const said = options.real ? await undisturbed(stage) : undefined;
      await Promise.all(stage.workers.map((worker) => worker.kill()));
      // More than die: a job that lost its worker waits for the end of its lease, and the next one is taken meanwhile.
      const jobs = POINTS.length * each + 2 * AT_ONCE;
      await submitMany(stage, ledger, jobs, () => ({
        ...{ windows: 4, delayMs: 20, audio: true },
        ...(said !== undefined && { said }),
      }));
      for (const point of POINTS) {
        let deaths = 0;
        let begun = 0;
        const dieAgain = async (place: number) => {
          while (begun < each) {
            begun += 1;
            // The first passage, and for windows one in the middle, where there is one: the sample is one window long.
            const passage = point === "after-window" && !options.real ? 2 : 1;
            const env = { SCRIBE_FAILPOINTS: `${point}#${passage}`, WORKER_CONCURRENCY: "1" };
            const worker = await stage.startWorker(place, { env, atOnce: true });
            const exit = await Promise.race([worker.exit, sleep(60_000, null, { ref: false })]);
            if (exit?.signal === "SIGKILL") deaths += 1;
            await worker.kill();
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, (_, place) => dieAgain(place)));
        counts.push(`${point} ${deaths}`);
        faults += deaths;
      }
      for (const place of stage.workers.keys()) await stage.startWorker(place);
      await allEnded(stage, ledger, 240_000);
      const verdict = await judge(stage, ledger);
      if (faults < POINTS.length * each)
        verdict.unexpected.push(`only ${faults} of ${POINTS.length * each} crashes came`);
      return { ...verdict, faults, notes: [`crashes: ${counts.join(", ")}`] };
    } finally {
      await stage.close();
    }
  },
};
