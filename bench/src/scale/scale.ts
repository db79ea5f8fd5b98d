import { percentile, printTable } from "../print-table.ts";
import { measureLinearity } from "./measure-linearity.ts";
import { POLICIES } from "./policies.ts";
import { simulate } from "./simulate.ts";
import { makeTraces } from "./traces.ts";

const FLEET = { workerSpeed: 40, slots: 4, mostWorkers: 50, targetWaitSeconds: 300, coldStartSeconds: 180 };

/** Plays traces against ways to scale, then lets real workers share real work. */
export async function scale(): Promise<void> {
  const { workerSpeed, slots, mostWorkers, targetWaitSeconds, coldStartSeconds } = FLEET;
  console.log(
    `Workers of ${workerSpeed}× real time in ${slots} slots, at most ${mostWorkers}, ${coldStartSeconds} s to come; ${targetWaitSeconds} s of wait are aimed at.\n`,
  );
  const rows = makeTraces().flatMap((trace) =>
    POLICIES.map((policy) => {
      const { waits, gpuHours, finishedAtSeconds } = simulate(trace, policy, FLEET);
      const inTime = waits.filter((wait) => wait <= targetWaitSeconds + coldStartSeconds).length / waits.length;
      return [
        trace.name,
        policy.name,
        percentile(waits, 0.5).toFixed(0),
        percentile(waits, 0.95).toFixed(0),
        percentile(waits, 1).toFixed(0),
        (100 * inTime).toFixed(1),
        gpuHours.toFixed(1),
        (finishedAtSeconds / 3600).toFixed(1),
      ];
    }),
  );
  printTable(
    ["trace", "scaled by", "wait p50 (s)", "p95 (s)", "most (s)", "in target + start (%)", "GPU hours", "all done (h)"],
    rows,
  );
  await measureLinearity();
}
