import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Engine, TranscriptionOptions } from "@scribe/domain";
import { startSpeechRuntime } from "@scribe/speech";
import { makeWav, sampleDialogue, tone, waitFor } from "@scribe/testing";
import type { WorkerParts } from "../src/attempt.ts";
import { findModel } from "../src/engines/find-model.ts";
import { createOnnxEngine } from "../src/engines/onnx-engine.ts";
import { createHeldJobs } from "../src/held-jobs.ts";
import type { FindSpeakers } from "../src/steps/diarize.ts";
import { log, openWorkerBox, type WorkerBox } from "./worker-box.ts";

const MODEL = "whisper-nano.en";
const MODELS = resolve(import.meta.dirname, "../../../models");
const SPLIT = { channels: "split" } as const;

let box: WorkerBox;
let engine: Engine;
let parts: WorkerParts;
/** The call with a leak, heard once for all. */
let leaking: Awaited<ReturnType<typeof hear>>;

beforeAll(async () => {
  box = await openWorkerBox();
  const runtime = startSpeechRuntime({
    executionProviders: ["cpu"],
    intraOpThreads: 2,
    log: ({ level, message, ...fields }) => log[level](fields, message),
  });
  const places = { modelDir: MODELS, offered: [MODEL] };
  engine = createOnnxEngine({ runtime, models: { find: (name) => findModel(name, places) } });
  parts = { ...box.parts, engines: new Map([...box.parts.engines, ["onnx", { engine }]]) };
  leaking = await hear(makeCall(0.1), SPLIT);
}, 120_000);
afterAll(async () => {
  await engine.close();
  expect(await box.temporaryFiles()).toEqual(["worker-a"]);
  await box.close();
});

const turns = readFileSync(resolve(MODELS, "sample/dialogue.rttm"), "utf8")
  .trim()
  .split("\n")
  .map((line) => line.split(/\s+/))
  .map((field) => ({ speaker: field[7]!, start: Number(field[3]), end: Number(field[3]) + Number(field[4]) }));
const [first, second] = [...new Set(turns.map(({ speaker }) => speaker))];

/** The sample dialogue as a call: each party's words on a channel, and in the other's, so much quieter. */
function makeCall(leak: number): Uint8Array {
  const bytes = Buffer.from(sampleDialogue().bytes);
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset + 44, (bytes.length - 44) >> 1);
  const parties = [first, second].map((party) => {
    const own = new Float64Array(samples.length);
    for (const { speaker, start, end } of turns) {
      if (speaker !== party) continue;
      for (let i = Math.round(start * 16_000); i < Math.round(end * 16_000); i++) own[i] = (samples[i] ?? 0) / 32_768;
    }
    return own;
  });
  const noise = (i: number) => 0.0004 * Math.sin(i * i * 0.37);
  return makeWav({
    seconds: samples.length / 16_000,
    channels: 2,
    signal: (time, channel) => {
      const i = Math.round(time * 16_000);
      return (parties[channel]![i] ?? 0) + leak * (parties[1 - channel]![i] ?? 0) + noise(i);
    },
  });
}

async function hear(audio: Uint8Array, options: TranscriptionOptions, as = parts) {
  const { id } = await box.upload(audio, {}, { engine: "onnx", model: MODEL, options });
  const outcome = await box.work(id, as);
  return { id, outcome, row: await box.row(id), result: (await box.jobs.transcript(id))! };
}

const singAlone = (t: number, channel: number) => 0.1 * Math.sin(2 * Math.PI * (300 + 77 * channel) * t);

const plain = (text: string) =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z' ]/g, "")
    .split(/\s+/)
    .filter(Boolean);

describe("a call with a party a channel", () => {
  test("with each leaking into the other at −20 dB, is a dialogue in which nothing is said twice", async () => {
    const alone = await hear(makeCall(0), SPLIT);
    const { outcome, row, result } = leaking;
    expect([outcome, row.warnings]).toEqual(["completed", []]);
    expect(result.speakers).toEqual(["SPEAKER_00", "SPEAKER_01"]);
    expect(result.diarization).toMatchObject({ method: "channels", num_speakers: 2 });
    let [spoken, confused] = [0, 0];
    for (const [i, { id, start, speaker, channel, words }] of result.segments.entries()) {
      expect([id, speaker]).toEqual([i, `SPEAKER_0${channel}`]);
      expect(start).toBeGreaterThanOrEqual(result.segments[i - 1]?.start ?? 0);
      for (const word of words!) {
        expect(word.speaker).toBe(speaker);
        const party = channel === 0 ? first : second;
        const middle = (word.start + word.end) / 2;
        const told = turns.find(
          (turn) => middle > turn.start - 0.3 && middle < turn.end + 0.3 && turn.speaker === party,
        );
        spoken += word.end - word.start;
        if (!told) confused += word.end - word.start;
      }
    }
    expect(confused / spoken).toBeLessThanOrEqual(0.01);
    // The same words as without a leak, and about as many as were said.
    expect(plain(result.text)).toEqual(plain(alone.result.text));
    expect(plain(result.text).length).toBeLessThanOrEqual(plain(sampleDialogue().text).length * 1.1);
    expect(plain(result.text).length).toBeGreaterThan(plain(sampleDialogue().text).length * 0.8);
  }, 180_000);

  test("is told as it goes, with channel and speaker, and its progress goes over both channels", async () => {
    const { id, row } = leaking;
    const events = await box.jobs.events(id, 0, 1000);
    const told = events.filter(({ type }) => type === "segment").map(({ data }) => data as Record<string, unknown>);
    expect(told.length).toBeGreaterThan(1);
    expect(told.map(({ id }) => id)).toEqual(told.map((_, i) => i));
    expect(new Set(told.map(({ channel, speaker }) => `${channel} ${speaker}`))).toEqual(
      new Set(["0 SPEAKER_00", "1 SPEAKER_01"]),
    );
    expect(row).toMatchObject({ status: "completed", progress: 100 });
  });

  test("whose worker leaves after the first channel goes on with the second, and is the same", async () => {
    const { id } = await box.upload(makeCall(0.1), {}, { engine: "onnx", model: MODEL, options: SPLIT });
    const held = createHeldJobs();
    const fail: WorkerParts["fail"] = (point) => {
      if (point === "after-window") held.stopAll("shutdown");
    };
    expect(await box.work(id, { ...parts, held, fail })).toBe("handed_back");
    const { checkpoint } = (await box.db.pool.query("SELECT checkpoint FROM jobs WHERE id = $1", [id])).rows[0];
    expect(checkpoint.state.at).toBe(0);
    const heard: number[] = [];
    const counting: Engine = {
      ...engine,
      transcribe: (request, signal) => {
        heard.push(request.resume === null ? 0 : 1);
        return engine.transcribe(request, signal);
      },
    };
    expect(await box.work(id, { ...parts, engines: new Map([["onnx", { engine: counting }]]) })).toBe("completed");
    // The first channel after what was done of it, the second from its beginning.
    expect(heard).toEqual([1, 0]);
    expect(await box.jobs.transcript(id)).toEqual(leaking.result);
  }, 180_000);

  test("cancelled, is let go at once", async () => {
    const audio = makeWav({ seconds: 4, sampleRate: 8000, channels: 2, signal: singAlone });
    const { id } = await box.upload(audio, { window_seconds: 1, delay_ms: 300 }, { options: SPLIT });
    const work = box.work(id, parts);
    await waitFor(async () => (await box.row(id)).progress > 50);
    await box.jobs.cancel(id);
    const before = performance.now();
    parts.held.stopJob(id, "cancelled");
    expect(await work).toBe("dropped");
    expect(performance.now() - before).toBeLessThan(2000);
  });
});

describe("a recording whose channels are no parties", () => {
  const alike: FindSpeakers = async () => {
    const turns = [{ start: 0, end: 60, speaker: "SPEAKER_00" }];
    return { method: "scripted", speakers: ["SPEAKER_00"], turns, exclusiveTurns: turns };
  };
  async function rehearse(audio: Uint8Array, options: TranscriptionOptions = SPLIT) {
    const { id } = await box.upload(audio, {}, { options });
    const outcome = await box.work(id, { ...parts, findSpeakers: alike });
    return { outcome, row: await box.row(id), result: await box.jobs.transcript(id) };
  }
  const say = (channels: number, signal: (t: number, channel: number) => number) =>
    makeWav({ seconds: 2, sampleRate: 8000, channels, signal });

  test("one channel: speakers by voice, and a warning", async () => {
    const { outcome, row, result } = await rehearse(say(1, tone(440)));
    expect([outcome, row.warnings]).toEqual(["completed", [expect.stringMatching(/one channel.*nothing to split/)]]);
    expect(result!.diarization!.method).toBe("scripted");
    expect(result!.segments[0]).toMatchObject({ speaker: "SPEAKER_00" });
    expect(result!.segments[0]!.channel).toBeUndefined();
  });

  test("the same in both, one quieter and turned over: speakers by voice, unless they are not wanted", async () => {
    const both = say(2, (t, channel) => (channel === 0 ? 0.3 : -0.1) * Math.sin(2 * Math.PI * 440 * t));
    const { row, result } = await rehearse(both);
    expect(row.warnings).toEqual([expect.stringContaining("hold the same")]);
    expect(result!.diarization!.method).toBe("scripted");
    const unwanted = await rehearse(both, { ...SPLIT, diarize: false });
    expect(unwanted.result!.diarization).toBeUndefined();
    expect(unwanted.row.warnings).toEqual([expect.stringContaining("hold the same")]);
  });

  test("one of them silent: the other's words are its own", async () => {
    const { row, result } = await rehearse(say(2, (t, channel) => channel * 0.3 * Math.sin(2 * Math.PI * 440 * t)));
    expect(row.warnings).toEqual(["Channel 0 of the recording is silent."]);
    expect(result!.speakers).toEqual(["SPEAKER_01"]);
    expect(result!.segments).toEqual([expect.objectContaining({ channel: 1, speaker: "SPEAKER_01" })]);
  });

  test("all silent: as any silence, with warnings", async () => {
    const { outcome, row } = await rehearse(say(2, () => 0));
    expect(outcome).toBe("completed");
    expect(row.warnings).toEqual([expect.stringContaining("Channel 0"), expect.stringContaining("Channel 1")]);
  });

  test("eight are eight speakers, nine are refused", async () => {
    const eight = await rehearse(say(8, singAlone));
    expect(eight.outcome).toBe("completed");
    expect(eight.result!.speakers).toHaveLength(8);
    const nine = await rehearse(say(9, singAlone));
    expect(nine.outcome).toBe("failed");
    expect(nine.row.error).toMatchObject({
      code: "unsupported_audio",
      message: expect.stringMatching(/9 channels.*up to 8/),
    });
  });

  test("an engine that plays without audio says that there are no channels", async () => {
    const { id } = await box.create({ audio: false, windows: 1 }, { options: SPLIT });
    expect(await box.work(id)).toBe("completed");
    expect((await box.row(id)).warnings).toEqual([expect.stringContaining("plays without audio")]);
  });
});
