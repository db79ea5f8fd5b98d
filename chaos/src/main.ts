// `npm run chaos` runs all rows; `-- --row 1,4` some, `-- --short` each kind of fault once, `-- soak` the long load.
import { parseArgs } from "node:util";
import { printResults, type RowReport } from "./print-results.ts";
import type { Row } from "./row.ts";
import { ROWS } from "./rows.ts";
import { runShort } from "./short.ts";
import { soak } from "./soak/soak.ts";
import type { Backend } from "./stage/open-stage.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    row: { type: "string" },
    short: { type: "boolean" },
    scale: { type: "string", default: "1" },
    backend: { type: "string" },
    real: { type: "boolean", default: false },
    minutes: { type: "string", default: "30" },
  },
});

const log = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

async function main(): Promise<boolean> {
  if (positionals[0] === "soak") return await soak({ minutes: Number(values.minutes), log });
  if (values.short) return report([await timed("short", "redis", () => runShort({ log }))]);
  const wanted = values.row?.split(",").map(Number);
  const backends: Backend[] = values.backend ? [values.backend as Backend] : ["redis", "postgres"];
  const reports: RowReport[] = [];
  for (const backend of backends) {
    for (const row of ROWS) {
      if (wanted && !wanted.includes(row.number)) continue;
      if (backend === "postgres" && !row.onPostgres) continue;
      reports.push(await runRow(row, backend, values.real));
      printResults(reports.slice(-1));
    }
  }
  if (!wanted) {
    for (const row of ROWS.filter(({ withModel }) => withModel)) reports.push(await runRow(row, "redis", true));
  }
  return report(reports);
}

async function runRow(row: Row, backend: Backend, real: boolean): Promise<RowReport> {
  const name = `${row.number}. ${row.fault}${real ? ", with the model" : ""}`;
  log(`${name} (${backend})`);
  const scale = Number(values.scale);
  return await timed(name, backend, () => row.run({ backend, scale, real, log }));
}

async function timed(name: string, backend: Backend, run: () => ReturnType<Row["run"]>): Promise<RowReport> {
  const startedAt = performance.now();
  const result = await run().catch((error: Error) => ({
    ...{ jobs: 0, lost: 0, duplicated: 0, recovered: 0, faults: 0, notes: [] },
    unexpected: [`the row itself failed: ${error.stack}`],
  }));
  return { name, backend, seconds: (performance.now() - startedAt) / 1000, ...result };
}

function report(reports: readonly RowReport[]): boolean {
  console.log("");
  printResults(reports);
  return reports.every(({ lost, duplicated, unexpected }) => lost + duplicated + unexpected.length === 0);
}

// The schema engine leaves a timer behind.
main().then(
  (held) => process.exit(held ? 0 : 1),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
