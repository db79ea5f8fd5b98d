import { setTimeout as sleep } from "node:timers/promises";
import { type Row, scaled } from "../row.ts";
import { allEnded, newLedger, sayingOf, submit } from "../stage/ledger.ts";
import { openStage, type Stage } from "../stage/open-stage.ts";

const SCRIPT = { windows: 10, delayMs: 150 };
const SLOT_LIMIT_MS = 2_000;

/** Jobs are cancelled at any moment of their lives, many just as they end. */
export const cancelAnywhere: Row = {
  number: 8,
  fault: "cancel at random instants",
  onPostgres: true,
  async run(options) {
    const stage = await openStage({ backend: options.backend, workers: 2 });
    const ledger = newLedger();
    const unexpected: string[] = [];
    const cancelledAt = new Map<string, number>();
    let completed = 0;
    const jobs = scaled(100, options, 12);
    const lastsMs = SCRIPT.windows * SCRIPT.delayMs;
    const one = async () => {
      const id = await submit(stage, ledger, SCRIPT);
      await sleep(Math.random() * 1.4 * lastsMs);
      const answer = await stage.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
      const returnedAt = Date.now();
      const told = (await answer.json()) as { status: string };
      const { status, result } = (await (await stage.call(`/api/v1/jobs/${id}`)).json()) as {
        status: string;
        result?: { text: string };
      };
      if (answer.status === 202 && status === "cancelled" && told.status === "cancelled")
        cancelledAt.set(id, returnedAt);
      else if (answer.status === 200 && status === "completed") {
        completed += 1;
        if (result?.text !== sayingOf(SCRIPT)) unexpected.push(`${id}: its transcript is lost`);
      } else unexpected.push(`${id}: cancel was answered ${answer.status}, then the job is ${status}`);
    };
    try {
      let next = 0;
      const some = async () => {
        while (next++ < jobs) await one();
      };
      await Promise.all(Array.from({ length: 8 }, some));
      await allEnded(stage, ledger, 60_000);
      await sleep(SLOT_LIMIT_MS);
      const slots = freedAfter(stage, cancelledAt);
      const slowest = Math.max(0, ...slots);
      if (slowest > SLOT_LIMIT_MS) unexpected.push(`a slot was free only ${slowest} ms after the call returned`);
      const running = await stage.workerMetric("scribe_worker_jobs_running");
      if (running !== 0) unexpected.push(`${running} jobs still hold slots`);
      const { rows } = await stage.pool.query<{ id: string }>(
        "SELECT id FROM jobs WHERE status = 'cancelled' AND EXISTS (SELECT 1 FROM transcripts WHERE job_id = jobs.id)",
      );
      unexpected.push(...rows.map(({ id }) => `${id}: cancelled with a transcript`));
      return {
        ...{ jobs, lost: 0, duplicated: 0, recovered: 0, unexpected, faults: jobs },
        notes: [
          `${cancelledAt.size} cancelled, ${completed} had completed and kept their transcripts`,
          `${slots.length} were at work; their slots were free ${slowest} ms later at most`,
        ],
      };
    } finally {
      await stage.close();
    }
  },
};

/** From the return of the call to the worker's word that the work stopped, in ms, of those that were at work. */
function freedAfter(stage: Stage, cancelledAt: ReadonlyMap<string, number>): number[] {
  const lines = stage.workers.flatMap((worker) => worker.output().split("\n"));
  return lines.flatMap((line) => {
    if (!/the work stops|nothing was written/.test(line)) return [];
    const { jobId, time } = JSON.parse(line) as { jobId: string; time: number | string };
    const returnedAt = cancelledAt.get(jobId);
    return returnedAt === undefined ? [] : [Math.max(0, new Date(time).getTime() - returnedAt)];
  });
}
