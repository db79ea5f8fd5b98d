import type { RowResult } from "./row.ts";

export interface RowReport extends RowResult {
  name: string;
  backend: string;
  seconds: number;
}

const MOST_LINES = 10;

/** The table as Markdown, then what was measured and what should not have been. */
export function printResults(reports: readonly RowReport[]): void {
  console.log("| row | queue on | faults | jobs | lost | duplicated | unexpected | recovered | s |");
  console.log("| --- | --- | --: | --: | --: | --: | --: | --: | --: |");
  for (const report of reports) {
    const { name, backend, faults, jobs, lost, duplicated, unexpected, recovered, seconds } = report;
    const cells = [name, backend, faults, jobs, lost, duplicated, unexpected.length, recovered, seconds.toFixed(0)];
    console.log(`| ${cells.join(" | ")} |`);
  }
  for (const { name, backend, notes, unexpected } of reports) {
    for (const note of notes) console.log(`- ${name} (${backend}): ${note}`);
    for (const line of unexpected.slice(0, MOST_LINES)) console.log(`  ! ${name}: ${line}`);
    if (unexpected.length > MOST_LINES) console.log(`  ! and ${unexpected.length - MOST_LINES} more`);
  }
}
