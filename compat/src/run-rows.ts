import type { Row, RowResult } from "./row.ts";
import type { Stage } from "./stage.ts";

/** One after the other: two cores hear one recording at a time. */
export async function runRows(stage: Stage, rows: readonly Row[], log: (line: string) => void): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const { client, feature, run } of rows) {
    const startedAt = performance.now();
    const failure = await run(stage).then(
      () => null,
      (error: Error) => error.message || String(error),
    );
    const seconds = (performance.now() - startedAt) / 1000;
    log(`${client}: ${feature}: ${failure ?? "holds"} (${seconds.toFixed(1)} s)`);
    results.push({ client, feature, seconds, failure });
  }
  return results;
}
