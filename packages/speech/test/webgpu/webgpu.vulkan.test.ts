import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { sessionEnvironment } from "../../src/sessions/session-environment.ts";
import type { Comparison } from "./compare-providers.ts";
import { VULKAN_DRIVER } from "./vulkan-driver.ts";

const SCRIPT = join(import.meta.dirname, "compare-providers.ts");

async function compare(provider: string): Promise<Comparison> {
  const env = { ...sessionEnvironment(), VK_DRIVER_FILES: VULKAN_DRIVER, VK_ICD_FILENAMES: VULKAN_DRIVER };
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, provider], { env, timeout: 230_000 });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

test("WebGPU says what the processor says, and no node of a step leaves the device", async () => {
  const { ran, texts, sameTexts, fallback, ...differences } = await compare("webgpu");
  for (const difference of Object.values(differences)) expect(difference).toBeLessThan(1e-3);
  expect(sameTexts).toBe(true);
  expect(texts.flat().length).toBeGreaterThan(40);
  for (const graph of ["decoder", "encoder", "append", "select", "single"]) {
    expect(Object.keys(ran[graph])).toEqual(["WebGpuExecutionProvider"]);
  }
  expect(ran.decoder.WebGpuExecutionProvider).toBeGreaterThan(1000);
  // A run that fails there is done again by the processor, with audio that was encoded on the device.
  expect(fallback).toEqual({
    ...{ sameTexts: true, computation: "cpu/fp32/compiled" },
    reason: expect.stringContaining("Non-zero status code"),
  });
  // What is small, and read at once, is computed where it is read.
  expect(Object.keys(ran.alignment)).toEqual(["CPUExecutionProvider"]);
}, 240_000);
