import { describe, expect, test } from "@jest/globals";
import { finish } from "../drive-jobs.ts";
import { type Fields, SEGMENTS, useOpenAiDoor } from "./openai-door.ts";

const door = useOpenAiDoor(20_000);
const { post, nextJob } = door;

async function answer(fields: Fields, path?: string): Promise<Response> {
  const pending = post(fields, path ? { path } : {});
  await finish(door.api.db, await nextJob(), SEGMENTS);
  return await pending;
}

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
    const { rows } = await door.api.db.pool.query("SELECT options FROM jobs WHERE id = $1", [id]);
    expect(rows[0].options).toMatchObject({ diarize: true, num_speakers: 2 });
    await finish(door.api.db, id, SEGMENTS);
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
    const { rows } = await door.api.db.pool.query("SELECT options FROM jobs WHERE id = $1", [id]);
    expect(rows[0].options).toMatchObject({ task: "translate" });
    await finish(door.api.db, id, SEGMENTS);
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
    expect(await door.api.storedFiles()).not.toContainEqual(expect.stringContaining("only text"));
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
    expect(await refusal(await door.api.call("/v1/audio/speech", { method: "POST" }))).toMatchObject({ status: 404 });
  });
});

describe("keys and models", () => {
  test.each([["Token"], ["Bearer"], [""]])("a key as `%s K`", async (scheme) => {
    const headers = { Authorization: `${scheme} ${door.api.key}`.trim() };
    expect((await door.api.call("/v1/models", { headers, key: null })).status).toBe(200);
  });

  test("lists our models, aliases and the usual names", async () => {
    const { data } = (await (await door.api.call("/v1/models")).json()) as { data: { id: string }[] };
    const ids = data.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(["whisper-nano.en", "my-whisper", "whisper-1"]));
    expect(await (await door.api.call("/v1/models/whisper-1")).json()).toMatchObject({
      id: "whisper-1",
      object: "model",
    });
    expect((await door.api.call("/v1/models/none-such")).status).toBe(404);
  });
});
