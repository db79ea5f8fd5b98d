import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { createMetrics } from "@scribe/telemetry";
import { readGpus, showGpus } from "../src/gpu-metrics.ts";

const seen = async (program: string) => {
  const registry = createMetrics({ defaults: false });
  showGpus(registry, program);
  const lines = (text: string) => text.split("\n").filter((line) => line.startsWith("scribe_"));
  return [lines(await registry.metrics()), lines(await registry.metrics())];
};

test("a line of nvidia-smi is one GPU, and one with a figure that the driver does not know is none", () => {
  expect(readGpus("0, 1234, 16384, 57\n1, [N/A], 16384, 3\n\n")).toEqual([
    { gpu: "0", usedMebibytes: 1234, totalMebibytes: 16384, percent: 57 },
  ]);
});

test("what it says is shown in bytes and as a ratio", async () => {
  const folder = mkdtempSync(join(tmpdir(), "scribe-gpu-"));
  const program = join(folder, "nvidia-smi");
  writeFileSync(program, '#!/bin/sh\necho "0, 1024, 16384, 57"\n');
  chmodSync(program, 0o755);
  const [first] = await seen(program);
  expect(first).toEqual([
    'scribe_worker_gpu_memory_used_bytes{gpu="0"} 1073741824',
    'scribe_worker_gpu_memory_bytes{gpu="0"} 17179869184',
    'scribe_worker_gpu_utilization_ratio{gpu="0"} 0.57',
  ]);
  rmSync(folder, { recursive: true });
});

test.each([
  ["is not there", "/nowhere/nvidia-smi"],
  ["fails", "/bin/false"],
])("a program that %s shows nothing", async (_, program) => {
  expect(await seen(program)).toEqual([[], []]);
});
