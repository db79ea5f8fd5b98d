import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { CompiledModel } from "../../src/compile/compiled-model.ts";
import type { ModelFolder } from "../../src/model/read-model-folder.ts";
import { OnnxExportModel } from "../../src/sessions/onnx-export-model.ts";
import type { EncodedAudio } from "../../src/sessions/whisper-model.ts";
import { type GoldenWindow, goldenWindows, melOf, modelFolder, openCompiled } from "./compiled-whisper.ts";
import { decodeRows } from "./decode-rows.ts";

const CPU = { executionProviders: ["cpu"], intraOpThreads: 2 };

describe.each(["whisper-nano.en", "whisper-tiny.en-relearned"])("%s compiled in fp32", (name) => {
  const cache = mkdtempSync(join(tmpdir(), "compiled-"));
  const windows: GoldenWindow[] = goldenWindows(name).slice(0, 8);
  let model: ModelFolder;
  let network: CompiledModel;
  let audio: EncodedAudio[];

  beforeAll(async () => {
    ({ model, network } = await openCompiled(modelFolder(name), cache, "fp32"));
    audio = [];
    for (const { file } of windows) audio.push(await network.encode(melOf(model, file), 1));
  }, 120_000);

  afterAll(async () => {
    await network.close();
    rmSync(cache, { recursive: true });
  });

  test("says what the reference says, with timestamps and without, in one ragged batch", async () => {
    const requests = audio.flatMap((one) => [false, true].map((timed) => ({ audio: one, row: 0, timed })));
    const texts = await decodeRows(model, network, requests, { width: 5 });
    const golden = windows.flatMap((window) => [window.without_timestamps.tokens, window.with_timestamps.tokens]);
    expect(texts).toEqual(golden);
  }, 120_000);

  test("gives the logits of the model's own export, teacher-forced", async () => {
    const exported = await OnnxExportModel.open(model, CPU);
    let worst = 0;
    for (const [i, { file, without_timestamps }] of windows.slice(0, 3).entries()) {
      const prompt = [model.special.startOfTranscript, model.special.noTimestamps];
      const theirs = await exported.encode(melOf(model, file), 1);
      const a = await exported.prefill(theirs, [0], [prompt], [0, 1]);
      const b = await network.prefill(audio[i], [0], [prompt], [0, 1]);
      worst = Math.max(worst, largestDifference(a.logits, b.logits));
      for (const token of without_timestamps.tokens.slice(0, 20)) {
        const one = await exported.step(a.state, [token]);
        worst = Math.max(worst, largestDifference(one, await network.step(b.state, [token])));
      }
      theirs.release();
    }
    await exported.close();
    expect(worst).toBeLessThan(1e-3);
  }, 120_000);

  test("aligns several windows in one run as the export does one", async () => {
    const exported = await OnnxExportModel.open(model, CPU);
    const heads = model.generation.alignment_heads ?? [];
    const { startOfTranscript, noTimestamps, endOfText } = model.special;
    const tokens = windows.map((window) => [
      startOfTranscript,
      noTimestamps,
      ...window.without_timestamps.tokens.slice(0, 30),
      endOfText,
    ]);
    const together = await network.alignRows(tokens.map((own, i) => ({ audio: audio[i], row: 0, tokens: own })));
    for (const i of [0, 1]) {
      const theirs = await exported.encode(melOf(model, windows[i].file), 1);
      const a = await exported.align(theirs, 0, tokens[i], heads, endOfText);
      const b = await network.align(audio[i], 0, tokens[i], heads, endOfText);
      expect(largestDifference(a.weights, b.weights)).toBeLessThan(1e-4);
      expect(largestDifference(a.probabilities, b.probabilities)).toBeLessThan(1e-3);
      expect(largestDifference(b.probabilities, together[i].probabilities.slice(0, -1))).toBeLessThan(1e-5);
      theirs.release();
    }
    const [scores] = await network.alignRows([{ audio: audio[0], row: 0, tokens: tokens[0] }], false);
    expect(largestDifference(scores.scores, together[0].scores)).toBeLessThan(1e-3);
    await exported.close();
  }, 120_000);

  test("a row's text is the same alone, joined and permuted", async () => {
    const requests = audio.map((one, i) => ({ audio: one, row: 0, timed: i % 2 === 0 }));
    const joined = await decodeRows(model, network, requests, { width: 8, rounds: 3 });
    const reversed = await decodeRows(model, network, requests.toReversed(), { width: 3, rounds: 16 });
    expect(reversed.toReversed()).toEqual(joined);
    for (const i of [0, 3, 5]) expect(await decodeRows(model, network, [requests[i]])).toEqual([joined[i]]);
  }, 120_000);
});

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(b.length).toBe(a.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}
