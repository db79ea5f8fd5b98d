import { resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { startProcess } from "@scribe/testing";

const MAIN = resolve(import.meta.dirname, "../../security/src/main.ts");

test("a few attacks of each kind break nothing", async () => {
  const run = startProcess(MAIN, {}, { args: ["--short"] });
  const { code } = await run.exit;
  if (code !== 0) throw new Error(run.output());
  const rows = run
    .stdout()
    .split("\n")
    .filter((line) => line.startsWith("| "));
  expect(rows).toHaveLength(10);
  for (const row of rows.slice(1)) expect(row).toContain("| yes |");
}, 300_000);
