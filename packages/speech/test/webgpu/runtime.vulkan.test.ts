import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { compileModel } from "../../src/compile/compile-model.ts";
import { type ProviderFallback, startSpeechRuntime } from "../../src/index.ts";
import { hashModelFolder } from "../../src/model/model-info.ts";
import { readModelFolder } from "../../src/model/read-model-folder.ts";
import { alignmentHeads } from "../../src/whisper/words/find-alignment.ts";
import { collect } from "../build/collect.ts";
import { NANO, PARK } from "../build/samples.ts";
import { breakGraph, failWhere, rowsAbove } from "../compile/break-graph.ts";
import { VULKAN_DRIVER } from "./vulkan-driver.ts";

const never = new AbortController().signal;

let folder: string;
const before = { ...process.env };
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "runtime-webgpu-"));
  // The speech process gets this process' environment.
  Object.assign(process.env, { VK_DRIVER_FILES: VULKAN_DRIVER, VK_ICD_FILENAMES: VULKAN_DRIVER });
});
afterAll(() => {
  process.env = before;
  rmSync(folder, { recursive: true });
});

async function transcribe(executionProviders: string[], cacheFolder: string) {
  const fallbacks: ProviderFallback[] = [];
  const lines: string[] = [];
  const runtime = startSpeechRuntime({
    ...{ executionProviders, intraOpThreads: 2, graphs: { cacheFolder, precision: "auto" as const } },
    onFallback: (fallback) => fallbacks.push(fallback),
    log: ({ message }) => lines.push(message),
  });
  try {
    const options = { temperature: 0, logprob_threshold: null };
    const heard = await collect(runtime.transcribe({ id: "a", model: NANO, pcmPath: PARK, options }, never));
    const models = heard.events.flatMap((event) => (event.type === "model" ? [event.computation] : []));
    const told = lines.filter((line) => line === "An execution provider failed; another one runs the model");
    return { ...heard, models, fallbacks, told };
  } finally {
    await runtime.close();
  }
}

test("a device that fails as it encodes is left for the processor, by a line, a count and the name of what computes", async () => {
  const cacheFolder = join(folder, "broken");
  const model = await readModelFolder(NANO);
  const options = { modelHash: await hashModelFolder(NANO), precision: "fp32", form: "steps" } as const;
  const files = await compileModel(model, { ...options, alignmentHeads: alignmentHeads(model), cacheFolder });
  breakGraph(files.encoder, (g) => failWhere(g, rowsAbove(g, "mel", 0)), "mel");
  writeManifest(files.folder);

  const { text, models, fallbacks, told, windows } = await transcribe(["webgpu", "cpu"], cacheFolder);
  expect(text).toContain("coffee");
  expect(models).toEqual(["webgpu/fp32/compiled", "cpu/fp32/compiled"]);
  expect(fallbacks).toEqual([{ from: "webgpu", to: "cpu", when: "run", reason: expect.stringContaining("Gather") }]);
  expect(told).toHaveLength(1);
  for (const { checkpoint } of windows) expect(checkpoint.computation).toBe("cpu/fp32/compiled");
}, 240_000);

test("auto leaves out what the machine lacks, and a driver that computes on the processor", async () => {
  const { text, models, fallbacks } = await transcribe(["auto"], join(folder, "auto"));
  expect(text).toContain("coffee");
  expect(models).toEqual(["cpu/fp32/compiled"]);
  expect(fallbacks).toMatchObject([
    { from: "cuda", to: "cpu", when: "start" },
    { from: "webgpu", to: "cpu", when: "start", reason: expect.stringMatching(/times as long as the processor/) },
  ]);
}, 240_000);

/** The sizes by which a compiled model is known to be whole. */
function writeManifest(compiled: string) {
  const names = readdirSync(compiled).filter((name) => name !== "compiled.json");
  const sizes = names.sort().map((name) => [name, statSync(join(compiled, name)).size]);
  writeFileSync(join(compiled, "compiled.json"), JSON.stringify(sizes));
}
