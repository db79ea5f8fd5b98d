import { describe, expect, test } from "@jest/globals";
import {
  DEFAULT_WEBHOOK_EVENTS,
  MAX_METADATA_BYTES,
  MAX_URL_LENGTH,
  readStoredOptions,
  type TranscribeBody,
  toJobRequest,
  transcribeBody,
  uploadFields,
} from "../src/index.ts";

const source = { url: "https://example.com/a.wav" };

/** What is wrong with a body, as `path: message`, in order. */
function problems(body: unknown): string[] {
  const parsed = transcribeBody.safeParse(body);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

/** Where a body is wrong, by the first part of each issue's path. */
const wrongFields = (body: unknown): string[] => {
  const parsed = transcribeBody.safeParse(body);
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => String(path[0] ?? ""));
};

const accepted = (fields: object): TranscribeBody => transcribeBody.parse({ ...source, ...fields });

describe("a field's bounds", () => {
  const long = (length: number) => "x".repeat(length);
  const many = <T>(length: number, item: T) => Array.from({ length }, () => item);

  test.each<[string, unknown[], unknown[]]>([
    ["model", ["m", long(256)], ["", long(257), 7, null]],
    ["language", ["en", "yue", "auto", "HE"], ["e", "english", "", 7]],
    ["task", ["transcribe", "translate"], ["summarize"]],
    ["prompt", ["", long(4096)], [long(4097), 1]],
    ["hotwords", [[], ["a", "b"]], [many(257, "a"), [long(129)], ["a", 1], "a"]],
    ["mode", ["packed", "sequential", "mono"], ["fast"]],
    ["temperature", [0, 1, 0.4, [0], many(10, 0.5)], [-0.1, 1.1, [], many(11, 0), [2], "0"]],
    ["beam_size", [1, 16], [0, 17, 1.5, "1"]],
    ["best_of", [1, 16], [0, 17, 1.5]],
    ["patience", [0.1, 1, 10], [0.05, 11, "1"]],
    ["length_penalty", [-1, 1], [-2, 2]],
    ["compression_ratio_threshold", [0, 2.4, 100, null], [-1, 101]],
    ["logprob_threshold", [-100, -1, 0, null], [-101, 0.1]],
    ["no_speech_threshold", [0, 0.6, 1, null], [-0.1, 1.1]],
    ["condition_on_previous_text", [true, false], ["true", 1]],
    ["suppress_tokens", [[], [-1], many(1024, 5)], [many(1025, 5), [-2], [1.5], ["a"]]],
    ["prefix", ["So", long(1024)], [long(1025)]],
    [
      "guards",
      [{}, { loops: false }, { silence: true, anomalies: false, context: false }],
      [{ a: true }, { loops: 1 }, "a"],
    ],
    ["cache", [false, true], ["no"]],
    ["lexicon", ["names", "v1.2_a-b", long(128)], [long(129), "", "../x", ".x", 7]],
    ["redact", [[], ["card"], ["card", "email"]], [["shoe_size"], ["card", 7], "card", many(33, "card")]],
    ["word_timestamps", [true, false], [1]],
    ["vad", [true, false], [0]],
    ["diarize", [true, false], ["yes"]],
    ["num_speakers", [], [0, 51, 1.5]],
    ["min_speakers", [], [0, 51]],
    ["max_speakers", [], [0, 51]],
    ["channels", ["mix"], ["left"]],
    ["clip", [{}, { start: 1 }, { end: 2 }, { start: 0, end: 0.5 }], [{ start: -1 }, { start: 2, end: 2 }, { to: 1 }]],
    ["clip", [{ end: 1_000_000 }], [{ end: 1_000_001 }, { start: 5, end: 1 }, { end: 0 }, 3]],
    ["extra_data", [true], ["x"]],
    ["engine", ["onnx", "faster-whisper", "stable-whisper", "synthetic"], ["whisper.cpp", ""]],
    ["priority", ["high", "normal", "low"], ["urgent", 1]],
    ["webhook_url", ["http://a.example", "https://a.example/x?y"], ["ftp://a.example", "a.example", ""]],
    ["webhook_events", [["job.started"], ["job.failed", "job.completed"]], [[], ["job.done"], many(5, "job.failed")]],
    ["webhook_secret", [long(256)], [long(257)]],
    ["recording_id", ["r-1", long(256)], [long(257), 7]],
    ["metadata", [{}, { a: "b", c: 1, d: true, e: null }], [[], "x", { a: {} }, { a: [] }, { a: Number.NaN }]],
    ["metadata", [{ synthetic: { windows: [{ text: "deep" }] } }], [{ [long(257)]: 1 }]],
  ])("%s", (field, good, bad) => {
    for (const value of good) expect([value, wrongFields({ ...source, [field]: value })]).toEqual([value, []]);
    for (const value of bad) {
      const fields = new Set(wrongFields({ ...source, [field]: value }));
      expect([value, ...fields]).toEqual([value, field]);
    }
  });

  test("url: http and https, at most 4,096 characters", () => {
    const longest = `https://example.com/${"x".repeat(MAX_URL_LENGTH - 20)}`;
    expect(wrongFields({ url: longest })).toEqual([]);
    for (const url of [`${longest}x`, "file:///etc/passwd", "javascript:1", "//example.com", "", 5, null]) {
      expect([url, ...new Set(wrongFields({ url }))]).toEqual([url, "url"]);
    }
  });

  test("metadata: at most 16 KiB of JSON, counted in bytes", () => {
    const overhead = Buffer.byteLength('{"a":""}');
    const fits = "é".repeat((MAX_METADATA_BYTES - overhead) / 2);
    expect(problems({ ...source, metadata: { a: fits } })).toEqual([]);
    expect(problems({ ...source, metadata: { a: `${fits}x` } })).toEqual([
      `metadata: must be at most ${MAX_METADATA_BYTES} bytes of JSON`,
    ]);
  });
});

describe("what is not a field", () => {
  test.each(["speed", "toString", "hasOwnProperty", "constructor", "prototype", "__proto__"])("%s is named", (name) => {
    // Through JSON.parse, where `__proto__` is an ordinary key.
    const body = JSON.parse(`{"url": "https://example.com", ${JSON.stringify(name)}: {"admin": true}}`);
    expect(problems(body)).toEqual([expect.stringContaining(`"${name}"`)]);
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });

  test("an object's machinery inside `clip` and `metadata` is none either", () => {
    expect(problems(JSON.parse('{"url": "https://e.com", "clip": {"__proto__": 1}}'))).toEqual([
      expect.stringContaining("__proto__"),
    ]);
    expect(problems(JSON.parse('{"url": "https://e.com", "metadata": {"constructor": "x", "prototype": 1}}'))).toEqual([
      "metadata.constructor: is not a field",
      "metadata.prototype: is not a field",
    ]);
  });

  test("`url` and `upload_id` are none of an upload's fields", () => {
    expect(uploadFields.safeParse({ ...source }).success).toBe(false);
    expect(uploadFields.safeParse({ upload_id: "x" }).success).toBe(false);
    expect(uploadFields.safeParse({}).success).toBe(true);
  });
});

test("exactly one source is needed", () => {
  expect(problems({})).toEqual(["url: exactly one of `url` and `upload_id` is needed"]);
  expect(problems({ ...source, upload_id: "u" })).toEqual(["url: exactly one of `url` and `upload_id` is needed"]);
  expect(problems({ upload_id: "u" })).toEqual([]);
  expect(problems(source)).toEqual([]);
});

describe("how many speak", () => {
  test.each([
    [{ diarize: true, num_speakers: 1 }],
    [{ diarize: true, num_speakers: 50 }],
    [{ diarize: true, min_speakers: 2, max_speakers: 2 }],
    [{ diarize: true, max_speakers: 4 }],
    [{ mode: "dialogue", min_speakers: 2 }],
    [{ channels: "split" }],
    [{ channels: "split", diarize: true, num_speakers: 2 }],
    [{ channels: "split", diarize: false }],
  ])("is taken: %j", (fields) => expect(problems({ ...source, ...fields })).toEqual([]));

  test.each([
    [{ diarize: true, num_speakers: 0 }, "num_speakers"],
    [{ diarize: true, num_speakers: 500 }, "num_speakers"],
    [{ diarize: true, min_speakers: 3, max_speakers: 2 }, "min_speakers"],
    [{ diarize: true, num_speakers: 2, max_speakers: 2 }, "num_speakers"],
    [{ num_speakers: 2 }, "num_speakers"],
    [{ diarize: false, mode: "dialogue", max_speakers: 2 }, "max_speakers"],
  ])("is refused by name: %j", (fields, field) => {
    expect(wrongFields({ ...source, ...fields })).toEqual([field]);
    expect(uploadFields.safeParse(fields).error?.issues).toMatchObject([{ path: [field] }]);
  });

  test.each([
    [{ mode: "dialogue" }, { diarize: true }],
    [{ mode: "mono" }, { diarize: false }],
    [{ mode: "dialogue", diarize: false }, { diarize: false }],
    [
      { mode: "sequential", diarize: true },
      { mode: "sequential", diarize: true },
    ],
  ])("older callers' words become today's: %j", (fields, options) => {
    expect(toJobRequest(uploadFields.parse(fields)).options).toEqual(options);
  });
});

describe("text that Postgres does not store", () => {
  const unsafe = ["a\0b", "\ud800", "x\udc00", "\ud800\ud800\udc00"];

  test.each([
    ["url", (text: string) => ({ url: `https://example.com/${text}` })],
    ["model", (model: string) => ({ ...source, model })],
    ["prompt", (prompt: string) => ({ ...source, prompt })],
    ["hotwords", (text: string) => ({ ...source, hotwords: ["a", text] })],
    ["prefix", (prefix: string) => ({ ...source, prefix })],
    ["lexicon", (lexicon: string) => ({ ...source, lexicon })],
    ["redact", (text: string) => ({ ...source, redact: [text] })],
    ["webhook_url", (text: string) => ({ ...source, webhook_url: `https://example.com/${text}` })],
    ["webhook_secret", (webhook_secret: string) => ({ ...source, webhook_secret })],
    ["recording_id", (recording_id: string) => ({ ...source, recording_id })],
    ["metadata", (text: string) => ({ ...source, metadata: { a: text } })],
    ["metadata", (text: string) => ({ ...source, metadata: { [text]: 1 } })],
    ["metadata", (text: string) => ({ ...source, metadata: { synthetic: { windows: [{ text }] } } })],
    ["metadata", (text: string) => ({ ...source, metadata: { synthetic: { [text]: 1 } } })],
  ])("is refused in %s", (field, body) => {
    for (const text of unsafe) expect(wrongFields(body(text))).toContain(field);
  });

  test("a pair of surrogates is one letter, and fine", () => {
    expect(accepted({ prompt: "🐇", metadata: { "🐇": "🐇" } }).prompt).toBe("🐇");
  });
});

describe("a job request", () => {
  test("of a bare body has the defaults", () => {
    const { url: _, ...fields } = accepted({});
    expect(toJobRequest(fields)).toEqual({
      engine: "onnx",
      model: undefined,
      options: {},
      priority: 2,
      webhookUrl: undefined,
      webhookEvents: DEFAULT_WEBHOOK_EVENTS,
      webhookSecret: undefined,
      recordingId: undefined,
      metadata: {},
    });
    expect(DEFAULT_WEBHOOK_EVENTS).toEqual(["job.completed", "job.failed", "job.cancelled"]);
  });

  test("resolves the names of older engines, and keeps the others", () => {
    const engineOf = (engine: string) => toJobRequest(uploadFields.parse({ engine })).engine;
    expect(engineOf("faster-whisper")).toBe("onnx");
    expect(engineOf("stable-whisper")).toBe("onnx");
    expect(engineOf("synthetic")).toBe("synthetic");
  });

  test("sorts options from what surrounds them", () => {
    const request = toJobRequest(
      uploadFields.parse({
        model: "m",
        language: "HE",
        clip: { start: 1 },
        extra_data: true,
        priority: "high",
        webhook_url: "https://a.example",
        webhook_events: ["job.started"],
        webhook_secret: "s",
        recording_id: "r",
        metadata: { a: 1 },
      }),
    );
    expect(request).toEqual({
      engine: "onnx",
      model: "m",
      options: { language: "he", clip: { start: 1 }, extra_data: true },
      priority: 1,
      webhookUrl: "https://a.example",
      webhookEvents: ["job.started"],
      webhookSecret: "s",
      recordingId: "r",
      metadata: { a: 1 },
    });
    expect(toJobRequest(uploadFields.parse({ priority: "low" })).priority).toBe(3);
  });

  test("stored options are read back, without what another version wrote beside them", () => {
    expect(readStoredOptions({ language: "en", invented_later: [1] })).toEqual({ language: "en" });
    expect(() => readStoredOptions({ language: 5 })).toThrow();
  });
});
