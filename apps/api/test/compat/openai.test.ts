import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { tenantJobs } from "@scribe/database";
import { makeWav, waitFor } from "@scribe/testing";
import { claim, complete, finish, segment, writeSegments } from "../drive-jobs.ts";
import { startTestApi, type TestApi } from "../start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(
    { COMPAT_MODEL_ALIASES: "my-whisper=whisper-nano.en" },
    { foreignHeadersMs: 2_000, foreignFillerMs: 50, slowReaderMs: 500 },
  );
}, 60_000);
afterAll(() => api.stop());

type Fields = [name: string, value: string][];

let counter = 0;

/** No two of the same bytes, so that no two requests are equal. */
function form(fields: Fields, file: Uint8Array | null = makeWav({ seconds: 0.2 + counter++ / 1000 })): FormData {
  const data = new FormData();
  if (file) data.append("file", new Blob([file as Uint8Array<ArrayBuffer>]), "speech.wav");
  for (const [name, value] of fields) data.append(name, value);
  return data;
}

const post = (
  fields: Fields,
  more: { file?: Uint8Array | null; headers?: Record<string, string>; path?: string } = {},
) =>
  api.call(more.path ?? "/v1/audio/transcriptions", {
    method: "POST",
    body: form(fields, more.file),
    ...(more.headers ? { headers: more.headers, key: null } : {}),
  });

async function nextJob(): Promise<string> {
  for (;;) {
    const { rows } = await api.db.pool.query("SELECT id FROM jobs WHERE status = 'pending' ORDER BY id LIMIT 1");
    if (rows.length > 0) return rows[0].id;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const WORDS = [
  { word: "Good", start: 0, end: 0.4, probability: 0.9 },
  { word: "morning.", start: 0.4, end: 1, probability: 0.8 },
];
const SEGMENTS = [
  segment(0, "Good morning.", { words: WORDS, extra_data: { tokens: [11, 12] } }),
  segment(1, "Bye.", { extra_data: { tokens: [13] } }),
];

async function answer(fields: Fields, path?: string): Promise<Response> {
  const pending = post(fields, path ? { path } : {});
  await finish(api.db, await nextJob(), SEGMENTS);
  return await pending;
}

test("whoever takes nothing of the answer is cut off", async () => {
  const { hostname, port } = new URL(api.url);
  const body = JSON.stringify({ url: "https://example.com/long.wav" });
  const socket = connect(Number(port), hostname).on("error", () => undefined);
  socket.pause();
  const head = ["POST /deepgram/v1/listen HTTP/1.1", "Host: x", `Authorization: Token ${api.key}`];
  socket.write([...head, "Content-Type: application/json", `Content-Length: ${body.length}`, "", body].join("\r\n"));
  const text = "x".repeat(200_000);
  await finish(
    api.db,
    await nextJob(),
    Array.from({ length: 60 }, (_, at) => segment(at, text)),
  );
  // The request is written down when it is over, for whoever asked has taken nothing of the answer.
  await waitFor(() => api.log().includes("/deepgram/v1/listen"), { what: "the end of the request", timeoutMs: 20_000 });
  let bytes = 0;
  socket.on("data", (chunk) => {
    bytes += chunk.length;
  });
  const closed = once(socket, "close");
  socket.resume();
  await closed;
  expect(bytes).toBeGreaterThan(0);
  // What the sockets of both sides held, and not the whole.
  expect(bytes).toBeLessThan(60 * text.length);
}, 30_000);

describe("the answer's forms", () => {
  test("json", async () => {
    const response = await answer([["model", "whisper-1"]]);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      text: "Good morning. Bye.",
      usage: { type: "duration", seconds: 8 },
    });
  });

  test("verbose_json with words and segments", async () => {
    const response = await answer([
      ["model", "gpt-4o-transcribe-2026-01-01"],
      ["response_format", "verbose_json"],
      ["timestamp_granularities[]", "word"],
      ["timestamp_granularities[]", "segment"],
    ]);
    const body = (await response.json()) as { segments: unknown[] };
    expect(body).toMatchObject({ task: "transcribe", language: "english", duration: 8, text: "Good morning. Bye." });
    expect(body).toMatchObject({
      words: [
        { word: "Good", start: 0, end: 0.4 },
        { word: "morning.", start: 0.4, end: 1 },
      ],
    });
    expect(body.segments[0]).toEqual({
      ...{ id: 0, seek: 0, start: 0, end: 1.5, text: "Good morning.", tokens: [11, 12], temperature: 0 },
      ...{ avg_logprob: -0.3, compression_ratio: 1.2, no_speech_prob: 0.01 },
    });
  });

  test.each([
    ["text", "text/plain", "Good morning. Bye.\n"],
    [
      "srt",
      "text/plain",
      "1\n00:00:00,000 --> 00:00:01,500\nGood morning.\n\n2\n00:00:02,000 --> 00:00:03,500\nBye.\n",
    ],
    [
      "vtt",
      "text/vtt",
      "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nGood morning.\n\n00:00:02.000 --> 00:00:03.500\nBye.\n",
    ],
  ])("%s", async (format, type, expected) => {
    const response = await answer([["response_format", format]]);
    expect(response.headers.get("content-type")).toContain(type);
    expect(await response.text()).toBe(expected);
  });

  test("diarized_json asks for speakers and names them", async () => {
    const pending = post([
      ["model", "gpt-4o-transcribe-diarize"],
      ["response_format", "diarized_json"],
      ["known_speaker_names[]", "Ann"],
      ["known_speaker_names[]", "Bob"],
    ]);
    const id = await nextJob();
    const { rows } = await api.db.pool.query("SELECT options FROM jobs WHERE id = $1", [id]);
    expect(rows[0].options).toMatchObject({ diarize: true, num_speakers: 2 });
    await finish(api.db, id, SEGMENTS);
    const body = await (await pending).json();
    expect(body).toMatchObject({
      task: "transcribe",
      segments: [
        { type: "transcript.text.segment", id: "seg_0", speaker: "A", text: "Good morning." },
        { id: "seg_1" },
      ],
    });
  });

  test("a translation is a job that translates", async () => {
    const pending = post([["model", "whisper-1"]], { path: "/v1/audio/translations" });
    const id = await nextJob();
    const { rows } = await api.db.pool.query("SELECT options FROM jobs WHERE id = $1", [id]);
    expect(rows[0].options).toMatchObject({ task: "translate" });
    await finish(api.db, id, SEGMENTS);
    expect((await pending).status).toBe(200);
  });

  test("what is not carried out is named", async () => {
    const response = await answer([
      ["include[]", "logprobs"],
      ["hello", "1"],
    ]);
    expect(response.headers.get("x-ignored-fields")?.split(", ").sort()).toEqual(["hello", "include[]"]);
    await response.text();
  });
});

describe("while it takes long", () => {
  test("fillers keep a JSON answer alive, and do not break it", async () => {
    const pending = post([]);
    const job = await claim(api.db, await nextJob());
    await api.db.pool.query("UPDATE jobs SET progress = 50 WHERE id = $1", [job.id]);
    const response = await pending;
    await new Promise((resolve) => setTimeout(resolve, 200));
    await complete(api.db, job, "Late.");
    const text = await response.text();
    expect(text).toMatch(/^ {2,}\{/);
    expect(JSON.parse(text)).toMatchObject({ text: "Late." });
  });

  test("a failure before something was transcribed keeps its status, even of decoded audio", async () => {
    const pending = post([]);
    const job = await claim(api.db, await nextJob());
    expect((await tenantJobs(api.db, job.tenantId).get(job.id))?.phase).toBe("transcribing");
    // Longer than whoever waits looks away.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await fail(job, "unsupported_audio");
    const response = await pending;
    expect(response.status).toBe(400);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", message: "It failed." } });
  });

  test("a late failure cuts the connection", async () => {
    const pending = post([]);
    const job = await claim(api.db, await nextJob());
    await api.db.pool.query("UPDATE jobs SET progress = 50 WHERE id = $1", [job.id]);
    const response = await pending;
    expect(response.status).toBe(200);
    await fail(job, "internal");
    await expect(response.text()).rejects.toThrow();
  });

  test("an equal request joins the job that is under way", async () => {
    const file = makeWav({ seconds: 0.7 });
    const [one, two] = [post([], { file }), nextJob().then((id) => [id, post([], { file })] as const)];
    const [id, second] = await two;
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { rows } = await api.db.pool.query("SELECT count(*)::int AS n FROM jobs WHERE status = 'pending'");
    expect(rows[0].n).toBe(1);
    await finish(api.db, id, SEGMENTS);
    expect(await (await one).text()).toBe(await (await second).text());
  });

  test("a client that goes away leaves its job alone", async () => {
    const stop = new AbortController();
    const pending = fetch(`${api.url}/v1/audio/transcriptions`, {
      method: "POST",
      body: form([]),
      headers: { Authorization: `Bearer ${api.key}` },
      signal: stop.signal,
    });
    const id = await nextJob();
    stop.abort();
    await expect(pending).rejects.toThrow();
    await finish(api.db, id, SEGMENTS);
    const { rows } = await api.db.pool.query("SELECT status FROM jobs WHERE id = $1", [id]);
    expect(rows[0].status).toBe("completed");
  });
});

describe("streams", () => {
  test("deltas as segments come, then all of it", async () => {
    const pending = post([["stream", "true"]]);
    const job = await claim(api.db, await nextJob());
    await writeSegments(api.db, job, [SEGMENTS[0]!]);
    await api.db.pool.query("UPDATE jobs SET progress = 50 WHERE id = $1", [job.id]);
    const response = await pending;
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    await writeSegments(api.db, job, [SEGMENTS[1]!]);
    await complete(api.db, job, "Good morning. Bye.");
    const events = readData(await response.text());
    expect(events).toEqual([
      { type: "transcript.text.delta", delta: "Good morning." },
      { type: "transcript.text.delta", delta: " Bye." },
      { type: "transcript.text.done", text: "Good morning. Bye.", usage: { type: "duration", seconds: 8 } },
    ]);
  });

  test("a late failure is an event", async () => {
    const pending = post([["stream", "true"]]);
    const job = await claim(api.db, await nextJob());
    await api.db.pool.query("UPDATE jobs SET progress = 50 WHERE id = $1", [job.id]);
    const response = await pending;
    await fail(job, "internal");
    const text = await response.text();
    expect(text).toContain("event: error\n");
    expect(readData(text)).toEqual([
      { error: { message: "It failed.", type: "server_error", param: null, code: null } },
    ]);
  });
});

describe("refused in this API's own words", () => {
  const refusal = async (response: Response) => {
    const { error } = (await response.json()) as { error: { code: string | null; param: string | null } };
    return { status: response.status, code: error.code, param: error.param };
  };

  test.each<[string, Fields, object]>([
    ["an unknown format", [["response_format", "docx"]], { status: 400, code: null, param: "response_format" }],
    ["an unknown model", [["model", "no-such"]], { status: 404, code: "model_not_found", param: "model" }],
    ["a temperature out of bounds", [["temperature", "5"]], { status: 400, code: null, param: "temperature" }],
    ["a language that is none", [["language", "klingonese"]], { status: 400, code: null, param: "language" }],
  ])("%s", async (_name, fields, expected) => {
    expect(await refusal(await post(fields))).toEqual(expected);
  });

  test("no file", async () => {
    expect(await refusal(await post([["model", "whisper-1"]], { file: null }))).toMatchObject({
      status: 400,
      param: "file",
    });
  });

  test("a file that is no audio", async () => {
    const response = await post([], { file: Buffer.from("only text, nothing to hear") });
    expect(await refusal(response)).toMatchObject({ status: 400, param: "file" });
    expect(await api.storedFiles()).not.toContainEqual(expect.stringContaining("only text"));
  });

  test("a wrong key, in every form it may come", async () => {
    const wrong = `sr_aaaaaaaa_${"b".repeat(40)}`;
    const shown: Record<string, string>[] = [
      { Authorization: `Bearer ${wrong}` },
      { Authorization: wrong },
      { "X-API-Key": wrong },
    ];
    for (const headers of shown) {
      const response = await post([], { headers });
      expect(response.headers.get("x-should-retry")).toBe("false");
      expect(await refusal(response)).toMatchObject({ status: 401, code: "invalid_api_key" });
    }
  });

  test("a path that is none", async () => {
    expect(await refusal(await api.call("/v1/audio/speech", { method: "POST" }))).toMatchObject({ status: 404 });
  });
});

describe("keys and models", () => {
  test.each([["Token"], ["Bearer"], [""]])("a key as `%s K`", async (scheme) => {
    const headers = { Authorization: `${scheme} ${api.key}`.trim() };
    expect((await api.call("/v1/models", { headers, key: null })).status).toBe(200);
  });

  test("lists our models, aliases and the usual names", async () => {
    const { data } = (await (await api.call("/v1/models")).json()) as { data: { id: string }[] };
    const ids = data.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(["whisper-nano.en", "my-whisper", "whisper-1"]));
    expect(await (await api.call("/v1/models/whisper-1")).json()).toMatchObject({ id: "whisper-1", object: "model" });
    expect((await api.call("/v1/models/none-such")).status).toBe(404);
  });
});

const readData = (text: string): unknown[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json as string));

async function fail(job: { id: string; tenantId: string }, code: string): Promise<void> {
  const error = { code, message: "It failed.", retryable: false };
  await api.db.pool.query(
    `UPDATE jobs SET status = 'failed', lease_until = NULL, completed_at = now(), error = $2 WHERE id = $1`,
    [job.id, JSON.stringify(error)],
  );
  await api.db.pool.query(
    `INSERT INTO job_events (job_id, ordinal, type, data) SELECT id, next_ordinal, 'done', '{}' FROM jobs WHERE id = $1`,
    [job.id],
  );
  expect((await tenantJobs(api.db, job.tenantId).get(job.id))?.status).toBe("failed");
}
