import { describe, expect, test } from "@jest/globals";
import type { EngineEvent, EngineRequest } from "@scribe/domain";
import {
  type ChildExit,
  DECODER_VERSION,
  SpeechError,
  type SpeechEvent,
  type SpeechRuntime,
  type TranscribeRequest,
} from "@scribe/speech";
import { createOnnxEngine } from "../src/engines/onnx-engine.ts";

const checkpoint = (position: number, computation = "cpu/fp32/compiled") => ({
  computation,
  mode: "packed" as const,
  decoder_version: DECODER_VERSION,
  position,
  previous_tokens: [1, 2],
  language: "en",
  language_probability: 0.9,
  last_speech: 1,
});

const spoken: SpeechEvent[] = [
  { type: "operation", operation: "encode", deadlineMs: 5000 },
  { type: "model", computation: "cpu/fp32/compiled" },
  { type: "language", language: "en", probability: 0.9 },
  {
    type: "window",
    segments: [
      {
        start: 0,
        end: 1,
        text: " Hello",
        tokens: [5],
        avg_logprob: -0.2,
        no_speech_prob: 0,
        compression_ratio: 1,
        temperature: 0,
      },
    ],
    processedSeconds: 30,
    totalSeconds: 60,
    checkpoint: checkpoint(3000),
  },
  { type: "done", language: "en", languageProbability: 0.9, durationSeconds: 60, wordsMethod: "attention" },
];

/** A runtime that says what it is told to; what it was asked is written down. */
function standIn(
  say: (signal: AbortSignal) => AsyncIterable<SpeechEvent> | SpeechEvent[] = () => spoken,
  hash = "hash",
) {
  const asked: TranscribeRequest[] = [];
  const listeners = new Set<(exit: ChildExit) => void>();
  const runtime: SpeechRuntime = {
    async *transcribe(request, signal) {
      asked.push(request);
      yield* say(signal);
    },
    preload: async () => "cpu/fp32/compiled",
    health: () => ({ state: "running", activeRequests: 0, childStarts: 1 }),
    modelInfo: async (folder) => ({
      ...{ folder, hash, multilingual: false, languages: ["en"] },
      ...{ vocabularySize: 1, melBins: 80, windowSeconds: 30 },
    }),
    on: (_event, listener) => void listeners.add(listener),
    off: (_event, listener) => void listeners.delete(listener),
    close: async () => {},
  };
  const engine = createOnnxEngine({ runtime, models: { find: (name) => `/models/${name}` } });
  const exit = (requests: string[]) => {
    const died = { pid: 1, code: null, signal: "SIGSEGV", reason: "signal", requests };
    for (const listener of listeners) listener(died);
  };
  return { engine, asked, exit, listeners };
}

const request = (changes: Partial<EngineRequest> = {}): EngineRequest => ({
  jobId: "job-1",
  model: "nano",
  audio: { path: "/tmp/audio.pcm", samples: 960_000, durationSeconds: 60 },
  options: {},
  metadata: {},
  resume: null,
  alone: false,
  ...changes,
});

const never = new AbortController().signal;

async function listen(engine: ReturnType<typeof standIn>["engine"], asked = request(), signal = never) {
  const events: EngineEvent[] = [];
  for await (const event of engine.transcribe(asked, signal)) events.push(event);
  return events;
}

function failing(error: unknown) {
  return standIn(async function* () {
    yield spoken[0]!;
    throw error;
  });
}

describe("the onnx engine", () => {
  test("passes events on, with a checkpoint of its own", async () => {
    const { engine, asked } = standIn();
    const events = await listen(engine);
    expect(events.map(({ type }) => type)).toEqual(["operation", "operation", "language", "window", "done"]);
    expect(events[3]).toMatchObject({
      segments: [{ start: 0, end: 1, text: " Hello" }],
      checkpoint: { processedSeconds: 30, state: checkpoint(3000) },
    });
    expect(events[3]).not.toHaveProperty("segments.0.tokens");
    expect(asked[0]).toEqual({
      id: "job-1",
      model: "/models/nano",
      pcmPath: "/tmp/audio.pcm",
      options: { word_timestamps: true },
    });
    expect(events[4]).toMatchObject({ wordsMethod: "attention" });
    expect(engine.loadedModels()).toEqual(["nano"]);
  });

  test("says whose a request is, and passes on that the runtime begins again", async () => {
    const { engine, asked } = standIn(() => [{ type: "restart" }, ...spoken]);
    const events = await listen(engine, request({ tenant: "acme", priority: 3 }));
    expect(events.map(({ type }) => type)).toContain("restart");
    expect(asked[0]).toMatchObject({ tenant: "acme", priority: 3 });
  });

  test("gives the options that shape the text, and the decoding figures to who wants them", async () => {
    const { engine, asked } = standIn();
    const options = {
      language: "auto",
      word_timestamps: false,
      temperature: [0, 0.2],
      compression_ratio_threshold: null,
      clip: { start: 5 },
      extra_data: true,
      diarize: false,
    };
    const events = await listen(engine, request({ options }));
    expect(asked[0]!.options).toEqual({
      word_timestamps: false,
      temperature: [0, 0.2],
      compression_ratio_threshold: null,
      clip: { start: 5, end: 60 },
    });
    expect(events[3]).toMatchObject({ segments: [{ extra_data: { tokens: [5], avg_logprob: -0.2 } }] });
  });

  test("goes on from a checkpoint of the same model and options, and starts again from any other", async () => {
    const first = standIn();
    const [, , , window] = await listen(first.engine);
    const resume = (window as Extract<EngineEvent, { type: "window" }>).checkpoint;

    const same = standIn();
    expect((await listen(same.engine, request({ resume })))[1]).toMatchObject({ type: "operation" });
    expect(same.asked[0]!.resume).toEqual(checkpoint(3000));

    const others = [
      [standIn(undefined, "another-hash"), request({ resume })],
      [standIn(), request({ resume, options: { task: "translate" as const } })],
      [standIn(), request({ resume: { ...resume, state: { position: "?" } } })],
      // A checkpoint that says to be of another computation than it was made for.
      [standIn(), request({ resume: { ...resume, state: checkpoint(3000, "cpu/int8/compiled") } })],
    ] as const;
    for (const [other, asked] of others) {
      expect((await listen(other.engine, asked))[1]).toEqual({ type: "restart" });
      expect(other.asked[0]!.resume).toBeUndefined();
    }
  });

  test("says how many jobs its process held when it died", async () => {
    let die = (): void => {};
    const { engine, exit } = standIn(async function* () {
      await new Promise<void>((resolve) => {
        const before = die;
        die = () => {
          before();
          resolve();
        };
      });
      yield* [];
      throw new SpeechError("worker_crashed", "the child died: SIGSEGV");
    });
    const works = [listen(engine), listen(engine, request({ jobId: "job-2" }))];
    await new Promise((resolve) => setTimeout(resolve, 20));
    exit(["job-1", "job-2"]);
    die();
    for (const work of works) {
      await expect(work).rejects.toMatchObject({ code: "worker_crashed", childDeath: true, jobsHeld: 2 });
    }
    expect(engine.loadedModels()).toEqual([]);
  });

  test.each([
    [new SpeechError("model_unavailable", "ENOENT /secret/path"), { code: "model_unavailable", retryable: true }],
    [new SpeechError("invalid_model", "config.json in /secret/path"), { code: "invalid_model", retryable: false }],
    [new SpeechError("out_of_memory", "bad_alloc /secret/path"), { code: "out_of_memory", retryable: true }],
    [new SpeechError("timeout", "run of /secret/path"), { code: "timeout", retryable: true }],
    [new SpeechError("internal", "at /secret/path"), { code: "internal", retryable: true }],
    [new SpeechError("language_unsupported", "no token for xx"), { code: "language_unsupported", retryable: false }],
    [new SpeechError("invalid_option", "prompt: too long"), { code: "internal", retryable: false }],
  ])("explains %s without naming a path", async (error, expected) => {
    const caught = await listen(failing(error).engine).catch((thrown: Error) => thrown);
    expect(caught).toMatchObject(expected);
    expect((caught as Error).message).not.toContain("secret");
  });

  test("passes on what is no error of the runtime's", async () => {
    await expect(listen(failing(new TypeError("a mistake of ours")).engine)).rejects.toThrow("a mistake of ours");
  });

  test("ends with the signal's reason, whatever the runtime calls it", async () => {
    const stop = new AbortController();
    const { engine } = standIn(async function* (signal) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      yield* [];
      throw new SpeechError("cancelled", "cancelled");
    });
    const work = listen(engine, request(), stop.signal);
    setTimeout(() => stop.abort(new Error("lost")), 10);
    await expect(work).rejects.toThrow("lost");
  });

  test("listens to its runtime no longer once it is closed", async () => {
    const { engine, listeners } = standIn();
    await engine.close();
    expect(listeners.size).toBe(0);
  });
});
