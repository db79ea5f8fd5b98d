import { resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { startProcess } from "@scribe/testing";

const CHAOS = resolve(import.meta.dirname, "../../chaos/src/main.ts");

test("nothing is lost and nothing comes twice, whatever is killed (the short form of `npm run chaos`)", async () => {
  const run = startProcess(CHAOS, {}, { args: ["--short"] });
  const { code } = await run.exit;
  if (code !== 0) throw new Error(run.output());
  expect(run.stdout()).toMatch(/\| short \| redis \| 5 \| 40 \| 0 \| 0 \| 0 \|/);
}, 120_000);
