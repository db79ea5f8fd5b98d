import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { Engine, EngineEvent, EngineRequest, JobError, PcmAudio } from "@scribe/domain";
import { createGuardedFetch, createOutboundClient } from "@scribe/outbound";
import { type AssemblyaiStandIn, startAssemblyaiStandIn } from "@scribe/testing";
import { createAssemblyaiEngine } from "../src/index.ts";

const KEY = "stand-in-0123456789abcdef";
const RATE = 16_000;

let folder: string;
let standIn: AssemblyaiStandIn;
const client = createOutboundClient({ allowPrivateNetworks: ["127.0.0.0/8"] });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scribe-assemblyai-"));
});
beforeEach(async () => {
  await standIn?.stop();
  standIn = await startAssemblyaiStandIn({ key: KEY });
});
afterAll(async () => {
  await standIn.stop();
  await client.close();
  await rm(folder, { recursive: true, force: true });
});

/** A header that says how long; the stand-in listens to nothing else. */
function fakeFlac(samples: number): Buffer {
  const head = Buffer.alloc(42);
  head.write("fLaC", "latin1");
  head.writeUIntBE(RATE << 4, 18, 3);
  head.writeUInt32BE(samples, 22);
  return head;
}

const audioOf = (seconds: number): PcmAudio => ({
  path: join(folder, "audio.pcm"),
  samples: seconds * RATE,
  durationSeconds: seconds,
});

const makeEngine = (timeoutMs = 5000): Engine =>
  createAssemblyaiEngine({
    fetchFor: ({ baseUrl }) => createGuardedFetch(client, { origin: new URL(baseUrl).origin, hideInside: false }),
    encode: async (_audio, { from, to }, outPath) => await writeFile(outPath, fakeFlac(to - from)),
    timeoutMs,
    pollMs: 10,
  });

const requestOf = (changes: Partial<EngineRequest> = {}): EngineRequest => ({
  jobId: "job",
  model: "universal",
  audio: audioOf(20),
  options: {},
  metadata: {},
  resume: null,
  alone: false,
  access: { apiKey: KEY, baseUrl: standIn.url, addressBy: "tenant" },
  ...changes,
});

async function run(request: EngineRequest, signal = new AbortController().signal, engine = makeEngine()) {
  const events: EngineEvent[] = [];
  try {
    for await (const event of engine.transcribe(request, signal)) events.push(event);
  } catch (error) {
    return { events, error: error as JobError, ...read(events) };
  }
  return { events, error: undefined, ...read(events) };
}

function read(events: EngineEvent[]) {
  const windows = events.filter((event) => event.type === "window");
  return { windows, segments: windows.flatMap(({ segments }) => segments), last: events.at(-1)! };
}

test("a recording is sent once, waited for, and comes back by sentences with its confidences", async () => {
  const { segments, events, last } = await run(requestOf());
  expect(segments.map(({ start, end }) => [start, end])).toEqual([0, 5, 10, 15].map((at) => [at, at + 4.5]));
  expect(segments[0]).toMatchObject({
    text: " word0 word1 word2 word3 word4.",
    avg_logprob: expect.closeTo(Math.log(0.5), 9),
    words: expect.arrayContaining([{ word: " word0", start: 0, end: 0.5, probability: 0.5 }]),
  });
  expect(last).toEqual({ type: "done", language: "en", languageProbability: 0.9, wordsMethod: "provider" });
  expect(events).toContainEqual({ type: "language", language: "en", probability: 0.9 });
  expect(standIn.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    ...["POST /v2/upload", "POST /v2/transcript", "GET /v2/transcript/transcript-1", "GET /v2/transcript/transcript-1"],
  ]);
  expect(JSON.stringify(events)).not.toContain(KEY);
});

test("what is asked: the options as it knows them", async () => {
  const options = {
    language: "de",
    hotwords: ["Ada"],
    diarize: true,
    min_speakers: 2,
    max_speakers: 3,
    clip: { start: 5, end: 12 },
  };
  const { segments } = await run(requestOf({ options, model: "universal-3-pro" }));
  expect(standIn.created).toEqual([
    {
      audio_url: expect.stringContaining("/upload/1"),
      ...{ speech_models: ["universal-3-pro"], language_code: "de", keyterms_prompt: ["Ada"], speaker_labels: true },
      speaker_options: { min_speakers_expected: 2, max_speakers_expected: 3 },
    },
  ]);
  // The part begins at 5 s of the whole.
  expect([segments[0]!.start, segments.at(-1)!.end]).toEqual([5, 11.5]);
  await run(requestOf({ options: { diarize: true, num_speakers: 2, hotwords: ["Ada"] } }));
  expect(standIn.created[1]).toMatchObject({
    speech_model: "universal",
    language_detection: true,
    word_boost: ["Ada"],
    speakers_expected: 2,
  });
});

test("speakers are named in the order in which they are heard", async () => {
  const { last } = await run(requestOf({ options: { diarize: true } }));
  const turn = (start: number, speaker: string) => ({ start, end: start + 4.5, speaker });
  const turns = [turn(0, "SPEAKER_00"), turn(5, "SPEAKER_01"), turn(10, "SPEAKER_00"), turn(15, "SPEAKER_01")];
  expect(last).toMatchObject({
    speakers: { method: "assemblyai", speakers: ["SPEAKER_00", "SPEAKER_01"], turns, exclusiveTurns: turns },
  });
});

describe("another attempt", () => {
  test("asks for the transcript that was begun, and sends nothing again", async () => {
    standIn.fail(/GET/, { status: 401 });
    const first = await run(requestOf());
    expect(first.error).toMatchObject({ code: "provider_unauthorized", retryable: false });
    const { segments } = await run(requestOf({ resume: first.windows[0]!.checkpoint }));
    expect([segments.length, standIn.created.length]).toEqual([4, 1]);
  });

  test("begins anew where AssemblyAI knows the transcript no more", async () => {
    const first = await run(requestOf());
    standIn.forget();
    const { events, segments } = await run(requestOf({ resume: first.windows[0]!.checkpoint }));
    expect(events).toContainEqual({ type: "restart" });
    expect([segments.length, standIn.created.length]).toEqual([4, 2]);
  });

  test("writes no segment twice", async () => {
    const first = await run(requestOf());
    const { segments, last } = await run(requestOf({ resume: first.windows.at(-1)!.checkpoint }));
    expect([segments.length, last.type]).toEqual([0, "done"]);
  });
});

describe("failures", () => {
  const upload = /POST .*upload/;
  test.each([
    [{ status: 401 }, { code: "provider_unauthorized", retryable: false }],
    [{ status: 403 }, { code: "provider_unauthorized", retryable: false }],
    [
      { status: 429, headers: { "retry-after": "3" } },
      { code: "provider_error", retryable: true, retryAfterSeconds: 3 },
    ],
    [{ status: 500 }, { code: "provider_error", retryable: true }],
    [
      { status: 400, message: `no ${KEY}\u0007!` },
      { message: "AssemblyAI refused the request (400): no [key] !", retryable: false },
    ],
    ["half", { code: "provider_error", retryable: true }],
    ["cut-json", { code: "provider_error", retryable: true }],
    ["nonsense", { code: "provider_error", retryable: true }],
  ] as const)("an upload that ends in %j", async (fault, expected) => {
    standIn.fail(upload, fault as never);
    expect((await run(requestOf())).error).toMatchObject(expected);
  });

  test("silence ends at the time limit", async () => {
    standIn.fail(/POST .*transcript/, "hang");
    const { error } = await run(requestOf(), undefined, makeEngine(300));
    expect(error).toMatchObject({ code: "provider_error", retryable: true });
  });

  test("two looks that fail are got over, three are not", async () => {
    standIn.fail(/GET/, { status: 502 }, 2);
    expect((await run(requestOf())).error).toBeUndefined();
    standIn.fail(/GET/, "half", 3);
    const { error, windows } = await run(requestOf());
    expect(error).toMatchObject({ code: "provider_error", retryable: true });
    expect(windows).toHaveLength(1);
  });

  test("what it says of the audio is final; its own trouble is not, and is not asked for again", async () => {
    standIn.error = "Transcoding failed. File does not appear to contain audio.";
    expect((await run(requestOf())).error).toMatchObject({
      code: "provider_error",
      message: expect.stringContaining("does not appear to contain audio"),
      retryable: false,
    });
    standIn.error = "Internal server error";
    const { error, windows } = await run(requestOf());
    expect(error).toMatchObject({ retryable: true });
    standIn.error = null;
    const again = await run(requestOf({ resume: windows.at(-1)!.checkpoint }));
    expect([again.error, again.segments.length]).toEqual([undefined, 4]);
  });

  test("stopping ends the waiting at once, with the signal's reason", async () => {
    standIn.pendingLooks = 1_000_000;
    const stop = new AbortController();
    const reason = new Error("stopped");
    setTimeout(() => stop.abort(reason), 200);
    const startedAt = performance.now();
    expect((await run(requestOf(), stop.signal)).error).toBe(reason);
    expect(performance.now() - startedAt).toBeLessThan(1500);
  });
});
