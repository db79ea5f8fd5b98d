import { cp, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type ProviderFallback,
  type SpeechOptions,
  type SpeechRuntime,
  type SpeechRuntimeSettings,
  startSpeechRuntime,
  type TranscribeRequest,
} from "../src/index.ts";
import { collect } from "./build/collect.ts";
import { CPU, never, request, useSpeechFolder, withRuntime } from "./build/runtime-bench.ts";
import { NANO, PARK } from "./build/samples.ts";

const { folder, long } = useSpeechFolder();
let runtime: SpeechRuntime;

beforeAll(() => {
  runtime = startSpeechRuntime(CPU);
});
afterAll(() => runtime.close());

const transcribe = (options: SpeechOptions = {}, more: Partial<TranscribeRequest> = {}) =>
  collect(runtime.transcribe(request(options, more), never));

describe("a transcription", () => {
  test("gives the text with times, the words and figures", async () => {
    const { events, segments, text, language, done, windows } = await transcribe({ word_timestamps: true });
    expect(text.toLowerCase()).toBe(" there are seven people in the park. where is the coffee?");
    expect(events.filter(({ type }) => type !== "operation").map(({ type }) => type)).toEqual([
      "model",
      "language",
      ...windows.map(() => "window"),
      "done",
    ]);
    expect(language).toMatchObject({ language: "en", probability: 1 });
    expect(done).toEqual({
      type: "done",
      language: "en",
      languageProbability: 1,
      durationSeconds: 4.06,
      wordsMethod: "attention",
    });
    expect(segments[0].start).toBeLessThan(0.3);
    expect(segments[1].start).toBeGreaterThan(2);
    const words = segments.flatMap(({ words }) => words ?? []);
    expect(words.map(({ word }) => word).join("")).toBe(text);
    expect(words[3].start).toBeGreaterThan(0.5);
    expect(words[3].start).toBeLessThan(1.1);
    for (const { no_speech_prob, compression_ratio, avg_logprob, temperature, words } of segments) {
      expect(no_speech_prob).toBeLessThan(0.5);
      expect(compression_ratio).toBeGreaterThan(0.5);
      expect(avg_logprob).toBeGreaterThan(-2);
      expect(temperature).toBe(0);
      expect(words?.length).toBeGreaterThan(3);
    }
    expect(windows.at(-1)).toMatchObject({ processedSeconds: 4.06, totalSeconds: 4.06 });
  });

  test("announces its runs before they begin, each with a deadline", async () => {
    const { events } = await transcribe();
    const operations = events.flatMap((event) => (event.type === "operation" ? [event] : []));
    expect(operations.map(({ operation }) => operation)).toEqual(expect.arrayContaining(["encode", "decode"]));
    for (const { deadlineMs } of operations) expect(deadlineMs).toBeGreaterThanOrEqual(30_000);
  });

  test("tries higher temperatures where the text is in doubt, the same ones in every attempt", async () => {
    const options = { temperature: [0.4, 0.8], logprob_threshold: 0 };
    const [first, second] = [await transcribe(options, { id: "seed" }), await transcribe(options, { id: "seed" })];
    expect(first.segments).toEqual(second.segments);
    const other = await transcribe(options, { id: "other seed" });
    expect(other.segments).not.toEqual(first.segments);
  });

  test("of a part of the audio keeps the file's times", async () => {
    const { segments, windows, done } = await transcribe({ clip: { start: 2.2, end: 99 } });
    expect(segments[0].start).toBeGreaterThanOrEqual(2.2);
    expect(segments.at(-1)?.text).toContain("coffee");
    expect(segments.map(({ text }) => text).join("")).not.toContain("people");
    expect(windows[0].totalSeconds).toBeCloseTo(1.86, 5);
    expect(done?.durationSeconds).toBe(4.06);
  });

  test("of no samples is empty, and so is that of half a sample and of silence", async () => {
    for (const [name, bytes] of [
      ["none", 0],
      ["half", 1],
      ["silence", 2 * 16000],
    ] as const) {
      const pcmPath = join(folder, `${name}.pcm`);
      await writeFile(pcmPath, Buffer.alloc(bytes));
      const { text, done } = await transcribe({ word_timestamps: true }, { pcmPath });
      expect(text).toBe("");
      expect(done).toMatchObject({ language: "en", durationSeconds: Math.floor(bytes / 2) / 16000 });
    }
  });

  test("of 10 ms, or of an odd number of bytes, ends like any other", async () => {
    const pcmPath = join(folder, "short.pcm");
    await cp(PARK, pcmPath);
    await truncate(pcmPath, 64_001);
    expect((await transcribe({}, { pcmPath })).done?.durationSeconds).toBe(2);
    await truncate(pcmPath, 320);
    const tiny = await transcribe({ word_timestamps: true }, { pcmPath });
    expect(tiny.done?.durationSeconds).toBe(0.01);
    for (const { end } of tiny.segments) expect(end).toBeLessThanOrEqual(0.02);
  });

  test("goes on after a checkpoint as if nothing had happened", async () => {
    const options = { word_timestamps: true, temperature: [0, 0.5] };
    const whole = await transcribe(options, { pcmPath: long, id: "resumed" });
    expect(whole.windows.length).toBeGreaterThan(2);
    for (const [done, left] of [
      [1, 2],
      [2, 3],
    ]) {
      const checkpoint = JSON.parse(JSON.stringify(whole.windows[done - 1].checkpoint));
      const rest = await transcribe(options, { pcmPath: long, id: "resumed", resume: checkpoint });
      expect(rest.windows).toEqual(whole.windows.slice(left - 1));
      expect(rest.done).toEqual(whole.done);
    }
  });
});

test("a checkpoint of another computation is left aside, and that is said", async () => {
  const { windows, segments } = await transcribe();
  const [{ checkpoint }] = windows;
  expect(checkpoint.computation).toBe("cpu/fp32/export");
  const again = await transcribe({}, { resume: { ...checkpoint, computation: "cpu/int8/compiled" } });
  expect(again.events.map(({ type }) => type)).toContain("restart");
  expect(again.segments).toEqual(segments);
  const same = await transcribe({}, { resume: checkpoint });
  expect(same.events.map(({ type }) => type)).not.toContain("restart");
});

describe("requests beside each other", () => {
  test("take turns by windows, and each gets the text that it gets alone", async () => {
    const alone = await transcribe({}, { pcmPath: long });
    let longDone = false;
    const running = transcribe({}, { pcmPath: long }).finally(() => {
      longDone = true;
    });
    const short = await transcribe();
    expect(longDone).toBe(false);
    expect(short.text).toContain("coffee");
    expect((await running).segments).toEqual(alone.segments);
  });

  test("may be stopped alone, at once", async () => {
    const controller = new AbortController();
    const stopped = collect(runtime.transcribe(request({}, { pcmPath: long }), controller.signal));
    const other = transcribe({}, { pcmPath: long });
    setTimeout(() => controller.abort(), 300);
    const startedAt = performance.now();
    await expect(stopped).rejects.toMatchObject({ code: "cancelled", retryable: false });
    expect(performance.now() - startedAt).toBeLessThan(3000);
    expect((await other).segments).toEqual((await transcribe({}, { pcmPath: long })).segments);
  });

  test("a request that was stopped before it began does not begin", async () => {
    const events = runtime.transcribe(request(), AbortSignal.abort());
    await expect(collect(events)).rejects.toMatchObject({ code: "cancelled" });
  });

  test("leaving the loop stops the work", async () => {
    for await (const event of runtime.transcribe(request({}, { pcmPath: long }), never)) {
      if (event.type === "window") break;
    }
    expect(runtime.health().activeRequests).toBe(0);
    await transcribe();
    // Where nothing else is left to do, the child rests at once.
    await sleep(200);
    expect(runtime.health().operation).toBeUndefined();
  });

  test("are not disturbed by one whose model is damaged, missing or half there", async () => {
    const undisturbed = transcribe({}, { pcmPath: long });
    const damaged = join(folder, "damaged");
    await cp(NANO, damaged, { recursive: true });
    const expectCode = async (code: string, model = damaged) => {
      await expect(transcribe({}, { model })).rejects.toMatchObject({ code });
    };
    await expectCode("model_unavailable", join(folder, "nowhere"));
    await truncate(join(damaged, "onnx/decoder_model_merged.onnx"), 1_000_000);
    await expectCode("invalid_model");
    await rm(join(damaged, "onnx/encoder_model.onnx"));
    await expectCode("model_unavailable");
    await writeFile(join(damaged, "config.json"), '{"model_type": "bert"}');
    await expectCode("invalid_model");
    await rm(join(damaged, "config.json"));
    await expectCode("model_unavailable");
    await cp(NANO, damaged, { recursive: true });
    expect((await transcribe({}, { model: damaged })).text).toContain("coffee");
    expect((await undisturbed).segments).toEqual((await transcribe({}, { pcmPath: long })).segments);
  });
});

describe("what cannot be done is refused", () => {
  test.each<[string, unknown, string]>([
    ["an unknown option", { beams: 5 }, "invalid_option"],
    ["a temperature of 5", { temperature: 5 }, "invalid_option"],
    ["no temperature", { temperature: [] }, "invalid_option"],
    ["a clip that ends before it starts", { clip: { start: 2, end: 1 } }, "invalid_option"],
    ["a clip behind the end", { clip: { start: 10, end: 20 } }, "invalid_option"],
    ["a token outside the vocabulary", { suppress_tokens: [99_999] }, "invalid_option"],
    ["a translation by an English-only model", { task: "translate" }, "language_unsupported"],
    ["a language that the model lacks", { language: "de" }, "language_unsupported"],
  ])("%s", async (_, options, code) => {
    await expect(transcribe(options as SpeechOptions)).rejects.toMatchObject({ code, name: "SpeechError" });
  });

  test("an unknown option is named", async () => {
    await expect(transcribe({ beams: 5 } as SpeechOptions)).rejects.toThrow(/beams/);
  });

  test("a checkpoint of another decoder, or none at all", async () => {
    const checkpoint = (await transcribe()).windows[0].checkpoint;
    const resume = { ...checkpoint, decoder_version: 0 };
    await expect(transcribe({}, { resume })).rejects.toMatchObject({ code: "invalid_option" });
    const foreign = { ...checkpoint, previous_tokens: [99_999] };
    await expect(transcribe({}, { resume: foreign })).rejects.toMatchObject({ code: "invalid_option" });
    const nothing = {} as typeof checkpoint;
    await expect(transcribe({}, { resume: nothing })).rejects.toMatchObject({ code: "invalid_option" });
  });

  test("samples that are not there", async () => {
    const pcmPath = join(folder, "nowhere.pcm");
    await expect(transcribe({}, { pcmPath })).rejects.toMatchObject({ code: "internal", retryable: true });
  });

  test("a provider that does not exist", async () => {
    await withRuntime({ executionProviders: ["abacus"] }, async (own) => {
      await expect(collect(own.transcribe(request(), never))).rejects.toMatchObject({ code: "invalid_model" });
    });
    const messages: string[] = [];
    const fallbacks: ProviderFallback[] = [];
    const settings: Partial<SpeechRuntimeSettings> = {
      executionProviders: ["abacus", "cpu"],
      log: ({ message }) => messages.push(message),
      onFallback: (fallback) => fallbacks.push(fallback),
    };
    await withRuntime(settings, async (own) => {
      expect((await collect(own.transcribe(request(), never))).text).toContain("coffee");
      expect(fallbacks).toMatchObject([{ from: "abacus", to: "cpu", when: "start" }]);
      const said = messages.filter((message) => message === "An execution provider failed; another one runs the model");
      expect(said).toHaveLength(1);
    });
  });
});

test("a model says what it is, and its hash follows its files", async () => {
  const info = await runtime.modelInfo(NANO);
  expect(info).toMatchObject({
    folder: NANO,
    multilingual: false,
    languages: ["en"],
    vocabularySize: 3766,
    melBins: 80,
    windowSeconds: 30,
  });
  const copy = join(folder, "copy");
  await cp(NANO, copy, { recursive: true });
  expect((await runtime.modelInfo(copy)).hash).toBe(info.hash);
  await writeFile(join(copy, "merges.txt"), "#version: 0.2\n");
  expect((await runtime.modelInfo(copy)).hash).not.toBe(info.hash);
  await expect(runtime.modelInfo(folder)).rejects.toMatchObject({ code: "model_unavailable" });
});
