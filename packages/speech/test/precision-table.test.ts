import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { choosePrecision, type PrecisionChoice } from "../src/sessions/computation.ts";
import { sessionEnvironment } from "../src/sessions/session-environment.ts";

const TABLE = readFileSync(join(import.meta.dirname, "../../../docs/engine.md"), "utf8")
  .split("## Precision and provider")[1]
  .trim()
  .split("\n\n")[0]
  .split("\n")
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );

test("the documentation's table of precisions and providers is what models are loaded by", () => {
  const [[, ...providers], , ...rows] = TABLE;
  expect(providers).toEqual(["cpu", "cuda", "webgpu"]);
  expect(rows.map(([precision]) => precision)).toEqual(["fp32", "fp16", "int8", "int4"]);
  for (const [precision, ...cells] of rows as [PrecisionChoice, ...string[]][]) {
    for (const [i, provider] of providers.entries()) {
      const said = () => choosePrecision(provider, precision);
      const [verdict, why] = cells[i].split(": ");
      if (verdict === "runs") expect(said()).toBe(precision);
      else expect(said).toThrow(`${precision} cannot be run on ${provider}: ${why}`);
    }
  }
  for (const provider of providers) expect(choosePrecision(provider, "auto")).toBe("fp32");
});

test("32 bit are 32 bit on NVIDIA's devices too, and nobody is told", () => {
  expect(sessionEnvironment()).toMatchObject({ NVIDIA_TF32_OVERRIDE: "0", ORT_DISABLE_TELEMETRY: "1" });
});
