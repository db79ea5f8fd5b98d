import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Engine, EngineCheckpoint, EngineEvent, EngineRequest, JobError, PcmAudio } from "@scribe/domain";
import { createGuardedFetch, createOutboundClient } from "@scribe/outbound";
import { type HeardWord, makeWav, type OpenaiStandIn, startOpenaiStandIn } from "@scribe/testing";
import { createOpenaiEngine } from "../src/index.ts";

const RATE = 16_000;
const KEY = "sk-stand-in-0123456789";

/** A second of tone every two seconds, from 0.5 s on: the tests' words. */
const BURST = { every: 2, from: 0.5, to: 1.5 };
const isLoud = (seconds: number) => {
  const at = seconds % BURST.every;
  return at >= BURST.from && at < BURST.to;
};

/** Hears each burst in the samples as a word, with its times in the part that was sent. */
function hear(file: Buffer): HeardWord[] {
  const words: HeardWord[] = [];
  let since: number | null = null;
  for (let i = 0; i * 2 < file.length; i += 1) {
    // Near a crossing of zero the tone itself is quiet.
    const loud = Math.abs(file.readInt16LE(i * 2)) > 0;
    if (loud && since === null) since = i;
    if (!loud && since !== null && i - since >= RATE / 2) {
      words.push({ word: `word${words.length}.`, start: since / RATE, end: i / RATE });
      since = null;
    }
  }
  return words;
}

let folder: string;
let standIn: OpenaiStandIn;
const client = createOutboundClient({ allowPrivateNetworks: ["127.0.0.0/8"] });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scribe-openai-"));
  standIn = await startOpenaiStandIn({ key: KEY, hear });
});
afterAll(async () => {
  await standIn.stop();
  await client.close();
  await rm(folder, { recursive: true, force: true });
});

async function record(seconds: number, signal = (at: number) => (isLoud(at) ? 0.5 : 0)): Promise<PcmAudio> {
  const path = join(folder, `${seconds}-${Math.random()}.pcm`);
  await writeFile(path, makeWav({ seconds, signal }).subarray(44));
  return { path, samples: Math.round(seconds * RATE), durationSeconds: seconds };
}

function makeEngine(changes: Partial<Parameters<typeof createOpenaiEngine>[0]> = {}): Engine {
  return createOpenaiEngine({
    fetchFor: ({ baseUrl }) => createGuardedFetch(client, { origin: new URL(baseUrl).origin, hideInside: false }),
    encode: async ({ path }, { from, to }) => (await readFile(path)).subarray(from * 2, to * 2),
    timeoutMs: 5000,
    maxRetries: 0,
    chunkSeconds: 10,
    searchSeconds: 3,
    ...changes,
  });
}

const requestOf = (audio: PcmAudio, changes: Partial<EngineRequest> = {}): EngineRequest => ({
  jobId: "job",
  model: "whisper-1",
  audio,
  options: {},
  metadata: {},
  resume: null,
  alone: false,
  access: { apiKey: KEY, baseUrl: standIn.baseUrl, addressBy: "tenant" },
  ...changes,
});

async function run(engine: Engine, request: EngineRequest, signal = new AbortController().signal) {
  const events: EngineEvent[] = [];
  for await (const event of engine.transcribe(request, signal)) events.push(event);
  const windows = events.filter((event) => event.type === "window");
  return { events, windows, segments: windows.flatMap(({ segments }) => segments) };
}

const failureOf = (request: EngineRequest, engine = makeEngine()): Promise<JobError> =>
  run(engine, request).then(
    () => Promise.reject(new Error("it did not fail")),
    (error: JobError) => error,
  );

describe("a recording longer than a part", () => {
  test("is cut between words, and every word has its time in the whole, to the sample", async () => {
    const { windows, segments, events } = await run(makeEngine(), requestOf(await record(61)));
    const words = segments.flatMap((segment) => segment.words ?? []);
    expect(windows.length).toBeGreaterThanOrEqual(6);
    expect(words.map(({ start, end }) => [start, end])).toEqual(
      Array.from({ length: 30 }, (_, i) => [i * 2 + 0.5, i * 2 + 1.5].map((at) => expect.closeTo(at, 3))),
    );
    // Spelled as the text has them, with the blank before and the full stop behind; as probable as their segment.
    for (const { text, words: own } of segments) expect(own!.map(({ word }) => word).join("")).toBe(text);
    expect(words[0]).toMatchObject({ word: " word0.", probability: Math.exp(-0.25) });
    expect(segments[0]).toMatchObject({ avg_logprob: -0.25, no_speech_prob: 0.01, compression_ratio: 1.1 });
    expect(windows.at(-1)).toMatchObject({ processedSeconds: 61, totalSeconds: 61 });
    expect(events.at(-1)).toEqual({ type: "done", language: "en", languageProbability: null, wordsMethod: "provider" });
  });

  test("goes on after the last part that was done, with what was said before as its prompt", async () => {
    const audio = await record(35);
    const whole = await run(makeEngine(), requestOf(audio));
    const [, second] = whole.windows;
    standIn.forms.length = 0;
    const rest = await run(makeEngine(), requestOf(audio, { resume: second!.checkpoint }));
    expect(rest.windows).toEqual(whole.windows.slice(2));
    expect(standIn.forms[0]).toMatchObject({ prompt: expect.stringContaining("word0.") });
    expect(JSON.stringify(second)).not.toContain(KEY);
  });

  test("starts again where the checkpoint is another model's", async () => {
    const audio = await record(15);
    const { windows } = await run(makeEngine(), requestOf(audio));
    const { events } = await run(makeEngine(), requestOf(audio, { model: "other", resume: windows[0]!.checkpoint }));
    expect(events[0]).toEqual({ type: "restart" });
    const broken: EngineCheckpoint = { ...windows[0]!.checkpoint, state: { nextSample: -1 } };
    expect((await run(makeEngine(), requestOf(audio, { resume: broken }))).events[0]).toEqual({ type: "restart" });
  });

  test("is not sent where it is digital silence", async () => {
    const before = standIn.requests.length;
    const { segments, windows } = await run(makeEngine(), requestOf(await record(25, () => 0)));
    expect([segments.length, windows.length, standIn.requests.length - before]).toEqual([0, 3, 0]);
  });
});

test("what is asked: options as the provider knows them, and nothing of our environment", async () => {
  process.env.OPENAI_ORG_ID = "org-of-the-operator";
  process.env.OPENAI_CUSTOM_HEADERS = "X-Secret: of-the-operator";
  try {
    standIn.forms.length = 0;
    const options = {
      language: "de",
      prompt: "Kürzel",
      hotwords: ["Ada", "Bea"],
      temperature: 0.2,
      clip: { start: 2, end: 6 },
    };
    const { segments } = await run(makeEngine(), requestOf(await record(9), { options }));
    expect(standIn.forms).toEqual([
      {
        ...{ model: "whisper-1", language: "de", prompt: "Ada, Bea Kürzel", temperature: "0.2" },
        ...{ response_format: "verbose_json", "timestamp_granularities[]": ["segment", "word"] },
      },
    ]);
    expect(segments.flatMap(({ words }) => words ?? []).map(({ start }) => start)).toEqual(
      [2.5, 4.5].map((at) => expect.closeTo(at, 3)),
    );
    const sent = JSON.stringify(standIn.requests.at(-1)!.headers);
    expect(sent).not.toContain("operator");
  } finally {
    delete process.env.OPENAI_ORG_ID;
    delete process.env.OPENAI_CUSTOM_HEADERS;
  }
});

test("a model without times: short parts, words spread over them, probabilities from its tokens", async () => {
  const engine = makeEngine({ untimedChunkSeconds: 4 });
  const { segments, events } = await run(engine, requestOf(await record(13), { model: "gpt-4o-transcribe" }));
  expect(segments.length).toBeGreaterThanOrEqual(3);
  const words = segments.flatMap((segment) => segment.words ?? []);
  expect(words[0]).toMatchObject({ word: "word0.", start: 0, probability: expect.closeTo(0.5, 6) });
  for (let i = 1; i < words.length; i += 1) expect(words[i]!.start).toBeGreaterThanOrEqual(words[i - 1]!.end - 1e-9);
  expect(events.at(-1)).toMatchObject({ wordsMethod: "interpolated" });
});

test("translation has a route of its own", async () => {
  const { segments } = await run(makeEngine(), requestOf(await record(3), { options: { task: "translate" } }));
  expect(standIn.requests.at(-1)!.path).toBe("/v1/audio/translations");
  expect(segments).toHaveLength(1);
});

describe("failures", () => {
  test("a wrong key is final, and is repeated to nobody", async () => {
    const audio = await record(3);
    const error = await failureOf(
      requestOf(audio, { access: { apiKey: "sk-wrong-key-42", baseUrl: standIn.baseUrl, addressBy: "tenant" } }),
    );
    expect(error).toMatchObject({ code: "provider_unauthorized", retryable: false });
    expect(`${error.message} ${String(error.cause)} ${JSON.stringify(error)}`).not.toContain("sk-wrong");
    expect(await failureOf(requestOf(audio, { access: undefined }))).toMatchObject({ code: "provider_unauthorized" });
  });

  test.each([
    [
      { status: 429, headers: { "retry-after": "7" } },
      { retryable: true, retryAfterSeconds: 7 },
    ],
    [
      { status: 429, headers: { "retry-after": "999999" } },
      { retryable: true, retryAfterSeconds: 3600 },
    ],
    [{ status: 500 }, { retryable: true, retryAfterSeconds: undefined }],
    [{ status: 503 }, { retryable: true }],
    ["half", { retryable: true }],
    ["cut-json", { retryable: true }],
    ["nonsense", { retryable: true }],
  ] as const)("%j is %j", async (fault, expected) => {
    standIn.fail(/transcriptions/, fault as never);
    expect(await failureOf(requestOf(await record(3)))).toMatchObject({ code: "provider_error", ...expected });
  });

  test("what the provider says of a request is told, without the key and in one line", async () => {
    standIn.fail(/transcriptions/, { status: 400, message: `Bad file.\nKey ${KEY} (sk-proj-abcdef)` });
    const error = await failureOf(requestOf(await record(3)));
    expect(error).toMatchObject({ code: "provider_error", retryable: false });
    expect(error.message).toBe("OpenAI refused the request (400): Bad file. Key [key] ([key])");
  });

  test("silence ends at the time limit", async () => {
    standIn.fail(/transcriptions/, "hang");
    const error = await failureOf(requestOf(await record(3)), makeEngine({ timeoutMs: 300 }));
    expect(error).toMatchObject({ code: "provider_error", retryable: true });
  });

  test("a further try within the attempt gets over a moment's trouble", async () => {
    standIn.fail(/transcriptions/, { status: 500, headers: { "retry-after-ms": "10" } });
    const { segments } = await run(makeEngine({ maxRetries: 1 }), requestOf(await record(3)));
    expect(segments).toHaveLength(1);
  });

  test("an address that may not be reached", async () => {
    const engine = makeEngine({
      fetchFor: () => createGuardedFetch(createOutboundClient({}), { origin: standIn.url, hideInside: true }),
    });
    expect(await failureOf(requestOf(await record(3)), engine)).toMatchObject({
      code: "url_not_allowed",
      retryable: false,
    });
  });

  test("stopping ends a request that hangs, with the signal's reason", async () => {
    standIn.fail(/transcriptions/, "hang");
    const stop = new AbortController();
    const reason = new Error("stopped");
    setTimeout(() => stop.abort(reason), 200);
    const startedAt = performance.now();
    await expect(run(makeEngine(), requestOf(await record(3)), stop.signal)).rejects.toBe(reason);
    expect(performance.now() - startedAt).toBeLessThan(1500);
  });
});

test("what no database keeps is taken out of an answer, and times are held within the part", async () => {
  const odd = await startOpenaiStandIn({
    key: KEY,
    hear: () => [{ word: "a\u0000b\ud800", start: -5, end: 1e9 }],
  });
  const access = { apiKey: KEY, baseUrl: odd.baseUrl, addressBy: "tenant" as const };
  const { segments } = await run(makeEngine(), requestOf(await record(3), { access }));
  await odd.stop();
  expect(segments).toMatchObject([
    { text: " ab\ufffd", start: 0, end: 3, words: [{ word: " ab\ufffd", start: 0, end: 3 }] },
  ]);
});
