import { resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { startProcess } from "@scribe/testing";

test("the settings in README.md and .env.example are those of the configuration schema", async () => {
  const generate = startProcess(resolve(import.meta.dirname, "../../scripts/generate.ts"), {}, { args: ["--check"] });
  const { code } = await generate.exit;
  expect(generate.output()).toBe("");
  expect(code).toBe(0);
});
