import { cpSync, mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { readModelFolder } from "../src/model/read-model-folder.ts";
import type { PrecisionChoice, ProviderFallback } from "../src/sessions/computation.ts";
import { openWhisperModel } from "../src/sessions/open-whisper-model.ts";
import { NANO, PARK } from "./build/samples.ts";

let folder: string;
let copy: string;
let otherwise: string[];
let fallbacks: ProviderFallback[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "open-model-"));
  copy = join(folder, "model");
  cpSync(NANO, copy, { recursive: true });
  otherwise = [];
  fallbacks = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** How the copy of the bundled model is computed. */
async function open(executionProviders: string[], precision: PrecisionChoice = "auto", probe = PARK) {
  const { network, computation } = await openWhisperModel(await readModelFolder(copy), {
    ...{ executionProviders, intraOpThreads: 2, graphs: { cacheFolder: join(folder, "graphs"), precision, probe } },
    onOtherwise: (reason) => otherwise.push(reason),
    onFallback: (fallback) => fallbacks.push(fallback),
  });
  await network.close();
  return computation;
}

describe("a model is opened", () => {
  test("from its safetensors by the first provider that computes here, whatever was asked first", async () => {
    expect(await open(["abacus", "cpu"])).toEqual({ provider: "cpu", precision: "fp32", graphs: "compiled" });
    expect(fallbacks).toEqual([
      { from: "abacus", to: "cpu", when: "start", reason: expect.stringContaining("abacus") },
    ]);
    expect(otherwise).toEqual([]);
  });

  test("from its export where there are no safetensors, or none that can be compiled", async () => {
    truncateSync(join(copy, "model.safetensors"), 1000);
    expect(await open(["cpu"])).toEqual({ provider: "cpu", precision: "fp32", graphs: "export" });
    expect(otherwise[0]).toMatch(/were not compiled, the export is used/);
    rmSync(join(copy, "model.safetensors"));
    expect(await open(["cpu"])).toMatchObject({ graphs: "export" });
    expect(otherwise).toHaveLength(1);
  });

  test("not at all where its safetensors are damaged and there is no export", async () => {
    rmSync(join(copy, "onnx"), { recursive: true });
    truncateSync(join(copy, "model.safetensors"), 1_000_000);
    await expect(open(["cpu"])).rejects.toMatchObject({ code: "invalid_model" });
    expect(readdirSync(join(folder, "graphs"))).toEqual([]);
  });

  test("from a quantized export where only that is there, but not in place of a half of another", async () => {
    rmSync(join(copy, "model.safetensors"));
    rmSync(join(copy, "onnx/encoder_model.onnx"));
    await expect(open(["cpu"])).rejects.toMatchObject({ code: "model_unavailable" });
    rmSync(join(copy, "onnx/decoder_model_merged.onnx"));
    expect(await open(["cpu"])).toEqual({ provider: "cpu", precision: "int8", graphs: "export" });
    rmSync(join(copy, "onnx"), { recursive: true });
    await expect(open(["cpu"])).rejects.toMatchObject({ code: "model_unavailable" });
  });

  test("in 8 bit after that was held against 32 bit, once", async () => {
    const judged = await open(["cpu"], "int8");
    expect(judged).toMatchObject({ graphs: "compiled", provider: "cpu" });
    const kept = readdirSync(join(folder, "graphs")).filter((name) => name.endsWith(".judgement.json"));
    expect(kept).toHaveLength(1);
    // The speech is not asked for again.
    expect(await open(["cpu"], "int8", join(folder, "nowhere.wav"))).toEqual(judged);
  }, 120_000);

  test("with no precision that a provider cannot have", async () => {
    for (const precision of ["fp16", "int4"] as const) {
      await expect(open(["cpu"], precision)).rejects.toMatchObject({ code: "invalid_option" });
    }
    await expect(open(["cpu"], "fp16")).rejects.toThrow("fp16 cannot be run on cpu: processors compute");
    await expect(open(["abacus"])).rejects.toThrow("no execution provider works");
    expect(fallbacks).toEqual([]);
  });
});
