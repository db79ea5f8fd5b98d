import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, startProcess } from "@scribe/testing";
import { allEnded, judge, newLedger, submit } from "../stage/ledger.ts";
import { openStage, type Stage } from "../stage/open-stage.ts";
import { percentile, steadyLoad } from "./steady-load.ts";

const PER_SECOND = 200;
const JOB_EVERY_MS = 500;
/** Of each turn; the bare server has a shorter one, under the same jobs. Short, so that both meet what else the machine does. */
const OURS_SECONDS = 15;
const BARE_SECONDS = 5;
const LIMIT_FACTOR = 3;
const SLOPE_LIMIT_MIB = 1;

interface Sample {
  minutes: number;
  api: number;
  worker: number;
}

/** The 99th percentile of a status request, in ms, in a turn of each. */
interface Turn {
  ours: number;
  bare: number;
}

/** Constant jobs and status requests; the API takes turns with a bare server on the same database. */
export async function soak({ minutes, log }: { minutes: number; log: (line: string) => void }): Promise<boolean> {
  const stage = await openStage({ backend: "redis", workers: 1 });
  const port = String(await freePort());
  const bare = startProcess(join(import.meta.dirname, "bare-server.ts"), {
    DATABASE_URL: stage.env.DATABASE_URL,
    PORT: port,
  });
  const ledger = newLedger();
  const samples: Sample[] = [];
  const turns: Turn[] = [];
  let failures = 0;
  let over = false;
  const startedAt = performance.now();
  const minutesNow = () => (performance.now() - startedAt) / 60_000;
  const jobs = (async () => {
    while (!over) {
      await submit(stage, ledger, { windows: 4, delayMs: 100 });
      await sleep(JOB_EVERY_MS);
    }
  })();
  const watch = setInterval(() => samples.push({ minutes: minutesNow(), ...residentMib(stage) }), 5_000);
  try {
    await bare.waitForOutput(/listening/);
    await sleep(3_000);
    const [id] = ledger.accepted.keys();
    const connectionsBefore = await connections(stage);
    const headers = { authorization: `Bearer ${stage.key}` };
    while (minutesNow() < minutes) {
      const api = await steadyLoad(() => ({ url: `${stage.urls[0]}/api/v1/jobs/${id}`, headers }), {
        perSecond: PER_SECOND,
        seconds: OURS_SECONDS,
      });
      const other = await steadyLoad(() => ({ url: `http://127.0.0.1:${port}/jobs/${id}` }), {
        perSecond: PER_SECOND,
        seconds: BARE_SECONDS,
      });
      const turn = { ours: percentile(api.latencies, 0.99), bare: percentile(other.latencies, 0.99) };
      turns.push(turn);
      failures += api.failures;
      log(`minute ${minutesNow().toFixed(1)}: p99 ${turn.ours.toFixed(1)} ms, bare ${turn.bare.toFixed(1)} ms`);
    }
    over = true;
    await jobs;
    const connectionsAfter = await connections(stage);
    await allEnded(stage, ledger, 60_000);
    const verdict = await judge(stage, ledger);
    return report({ minutes, turns, failures, samples, connectionsBefore, connectionsAfter, verdict });
  } finally {
    over = true;
    clearInterval(watch);
    await bare.kill();
    await stage.close();
  }
}

interface Outcome {
  minutes: number;
  turns: Turn[];
  failures: number;
  samples: Sample[];
  connectionsBefore: number;
  connectionsAfter: number;
  verdict: Awaited<ReturnType<typeof judge>>;
}

function report(outcome: Outcome): boolean {
  const { minutes, turns, failures, samples, connectionsBefore, connectionsAfter, verdict } = outcome;
  const ours = percentile(
    turns.map((turn) => turn.ours),
    0.5,
  );
  const bare = percentile(
    turns.map((turn) => turn.bare),
    0.5,
  );
  // The first third is warming up: code is compiled, pools and caches fill.
  const settled = samples.filter((sample) => sample.minutes > minutes / 3);
  const slopes = { api: slope(settled, "api"), worker: slope(settled, "worker") };
  const checks: [what: string, value: string, held: boolean][] = [
    [
      `p99 of a status request, median of ${turns.length} turns`,
      `${ours.toFixed(1)} ms, ${(ours / bare).toFixed(1)} × bare`,
      ours <= LIMIT_FACTOR * bare,
    ],
    ["p99 of the bare server, median of its turns between", `${bare.toFixed(1)} ms`, true],
    ["requests that were not answered 200", String(failures), failures === 0],
    ["memory of the API", `${slopes.api.toFixed(2)} MiB a minute`, slopes.api < SLOPE_LIMIT_MIB],
    ["memory of the worker", `${slopes.worker.toFixed(2)} MiB a minute`, slopes.worker < SLOPE_LIMIT_MIB],
    [
      "connections to Postgres",
      `${connectionsBefore} → ${connectionsAfter}`,
      connectionsAfter <= connectionsBefore + 5,
    ],
    [
      `jobs (${verdict.jobs}): lost, doubled, unexpected`,
      `${verdict.lost}, ${verdict.duplicated}, ${verdict.unexpected.length}`,
      verdict.lost + verdict.duplicated + verdict.unexpected.length === 0,
    ],
  ];
  console.log(`| soak, ${minutes} min, ${PER_SECOND} status requests a second | | held |\n| --- | --- | --- |`);
  for (const [what, value, held] of checks) console.log(`| ${what} | ${value} | ${held ? "yes" : "NO"} |`);
  for (const line of verdict.unexpected.slice(0, 5)) console.log(`  ! ${line}`);
  return checks.every(([, , held]) => held);
}

function residentMib({ apis, workers }: Stage): { api: number; worker: number } {
  const of = (pid: number) => {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kib ?? 0) / 1024;
  };
  return { api: of(apis[0]!.pid), worker: of(workers[0]!.pid) };
}

async function connections(stage: Stage): Promise<number> {
  const { rows } = await stage.pool.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database()",
  );
  return rows[0]!.count;
}

/** Of the line of least squares, a minute. */
function slope(samples: readonly Sample[], of: "api" | "worker"): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(samples.map(({ minutes }) => minutes));
  const y = mean(samples.map((sample) => sample[of]));
  const spread = samples.reduce((sum, { minutes }) => sum + (minutes - x) ** 2, 0);
  return samples.reduce((sum, sample) => sum + (sample.minutes - x) * (sample[of] - y), 0) / spread;
}
