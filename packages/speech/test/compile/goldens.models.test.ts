import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Tensor } from "onnxruntime-node";
import { PcmFile } from "../../src/audio/pcm-file.ts";
import { compileModel } from "../../src/compile/compile-model.ts";
import type { CompiledModel } from "../../src/compile/compiled-model.ts";
import type { ModelFolder } from "../../src/model/read-model-folder.ts";
import { SharedModel } from "../../src/runtime/shared-model.ts";
import { OnnxExportModel } from "../../src/sessions/onnx-export-model.ts";
import { openSession } from "../../src/sessions/open-session.ts";
import type { EncodedAudio } from "../../src/sessions/whisper-model.ts";
import { parseSpeechOptions } from "../../src/speech-options.ts";
import { topTokens } from "../../src/whisper/beam-search.ts";
import { type LogitsRule, suppress, suppressAtBegin, timestampRules } from "../../src/whisper/logits-rules.ts";
import { transcribeSequential } from "../../src/whisper/transcribe-sequential.ts";
import { findAlignment } from "../../src/whisper/words/find-alignment.ts";
import { collect } from "../build/collect.ts";
import {
  type GoldenWindow,
  goldenSequence,
  goldenWindows,
  melOf,
  modelFolder,
  openCompiled,
  samplesOf,
} from "./compiled-whisper.ts";
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

  test("gives the encoder's values of the reference", async () => {
    const alignmentHeads = model.generation.alignment_heads ?? [];
    const options = { modelHash: modelFolder(name), precision: "fp32", cacheFolder: cache, alignmentHeads } as const;
    const session = await openSession((await compileModel(model, options)).encoder, CPU);
    for (const { file, encoder } of windows.slice(0, 3)) {
      const mel = new Tensor("float32", melOf(model, file), [1, model.config.num_mel_bins, model.windowFrames]);
      const hidden = (await session.run({ mel }, ["hidden"])).hidden.data as Float32Array;
      for (const [i, position] of encoder.positions.entries()) {
        for (const [j, dim] of encoder.dims.entries()) {
          const value = hidden[position * model.config.d_model + dim];
          expect(Math.abs(value - encoder.values[i][j])).toBeLessThan(1e-3);
        }
      }
    }
    await session.release();
  }, 120_000);

  test("leaves the reference's gaps between first and second, teacher-forced", async () => {
    const { special, generation } = model;
    const maximumInitialIndex = generation.max_initial_timestamp_index ?? 50;
    const plain: LogitsRule[] = [suppressAtBegin(model.beginSuppressTokens), suppress(model.suppressTokens)];
    const timed = [...plain, timestampRules({ ...special, maximumInitialIndex })];
    for (const [i, window] of windows.slice(0, 3).entries()) {
      for (const [golden, prompt, rules] of [
        [window.without_timestamps, [special.startOfTranscript, special.noTimestamps], plain],
        [window.with_timestamps, [special.startOfTranscript], timed],
      ] as const) {
        const { state, logits: first } = await network.prefill(audio[i], [0], [prompt], [prompt.length - 1]);
        let logits = first;
        for (const [place, gap] of golden.gaps.entries()) {
          for (const rule of rules) rule(logits, golden.tokens.slice(0, place));
          const [best, second] = topTokens(logits, 2);
          if (gap === null) expect(second).toBeUndefined();
          else expect(Math.abs(logits[best] - logits[second] - gap)).toBeLessThan(1e-3);
          if (place < golden.tokens.length) logits = await network.step(state, [golden.tokens[place]]);
        }
      }
    }
  }, 120_000);

  test("places words where the reference does: half of them within 40 ms", async () => {
    const apart: number[] = [];
    for (const [i, { file, without_timestamps, words }] of windows.entries()) {
      const text = without_timestamps.tokens.filter((token) => token < model.special.endOfText);
      const found = await findAlignment(model, (...asked) => network.align(audio[i], 0, ...asked), {
        startTokens: [model.special.startOfTranscript],
        words: model.tokenizer.decodeByCharacters(text).map(({ text: word, ids }) => ({ word, tokens: ids })),
        contentFrames: Math.floor(samplesOf(file).length / model.features.hopSize),
      });
      // The reference writes whatever stands between spaces as one word.
      const starts = found.filter(({ word }, place) => place === 0 || word.startsWith(" "));
      expect(starts.length).toBe(words.length);
      for (const [place, { start }] of starts.entries()) apart.push(Math.abs(start - words[place].start));
    }
    apart.sort((a, b) => a - b);
    expect(apart[apart.length >> 1]).toBeLessThanOrEqual(0.04);
  }, 120_000);

  test("says what the reference says of a minute, by the reference's way through a file", async () => {
    const { files, gaps_after, segments } = goldenSequence(name);
    const parts = files.flatMap((file, i) => [
      Int16Array.from(samplesOf(file), (sample) => Math.round(sample * 32_768)),
      new Int16Array(Math.round(gaps_after[i] * 16_000)),
    ]);
    const path = join(cache, "joined.pcm");
    await writeFile(path, Buffer.concat(parts.map(({ buffer }) => Buffer.from(buffer))));
    const pcm = await PcmFile.open(path);
    const decoder = new SharedModel(network).lane("golden");
    const options = parseSpeechOptions({ temperature: 0, guards: { loops: false, anomalies: false } });
    const request = { model, decoder, pcm, options, seed: "", melMaximum: "file" } as const;
    const heard = await collect(transcribeSequential(request, new AbortController().signal));
    await pcm.close();
    const placed = heard.segments.map(({ start, end, text, tokens }) => ({ start, end, text, tokens }));
    expect(placed).toEqual(segments.map(({ start, end, text, tokens }) => ({ start, end, text, tokens })));
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
