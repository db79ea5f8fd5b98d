import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { durabilityWarnings } from "../src/index.ts";
import { type DatabaseBench, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench({ poolSize: 1 });
});
afterAll(() => bench.close());

test("a server that may lose what it has committed is told of, setting by setting", async () => {
  await bench.sql("SET synchronous_commit = off");
  const warnings = await durabilityWarnings(bench.db);
  // The server of the tests flushes nothing.
  expect(warnings).toEqual(expect.arrayContaining([expect.stringContaining("with fsync off")]));
  expect(warnings).toEqual(expect.arrayContaining([expect.stringContaining("with synchronous_commit off")]));
  await bench.sql("SET synchronous_commit = on");
  expect(await durabilityWarnings(bench.db)).not.toEqual(
    expect.arrayContaining([expect.stringContaining("synchronous_commit")]),
  );
});
