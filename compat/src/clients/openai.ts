import OpenAI6, { toFile as toFile6 } from "openai-6";
import OpenAI7, { toFile as toFile7 } from "openai-7";
import { expect, expectEqual, failure } from "../expect.ts";
import { hourOfSpeech } from "../hour.ts";
import type { Row } from "../row.ts";
import { assertHeard, type Stage } from "../stage.ts";

/** Both majors have the same methods for audio; the types of one do for both. */
const MAJORS = [
  { client: "openai 6", OpenAI: OpenAI6, toFile: toFile6 },
  { client: "openai 7", OpenAI: OpenAI7 as unknown as typeof OpenAI6, toFile: toFile7 as unknown as typeof toFile6 },
];

const RIFF = "speech.wav";

export const openaiRows: readonly Row[] = MAJORS.flatMap(({ client, OpenAI, toFile }) => {
  const open = ({ url, key }: Stage, more = {}) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, ...more });
  const sample = (stage: Stage) => toFile(stage.sample.bytes, RIFF);
  const row = (feature: string, run: Row["run"], more: Partial<Row> = {}): Row => ({ client, feature, run, ...more });

  return [
    row("transcriptions, json", async (stage) => {
      const { text, usage } = (await open(stage).audio.transcriptions.create({
        file: await sample(stage),
        model: "whisper-1",
      })) as { text: string; usage?: { type: string; seconds: number } };
      assertHeard(stage, text);
      expect(usage?.type === "duration" && usage.seconds > 20, "usage counts seconds", usage);
    }),
    row("text, srt, vtt", async (stage) => {
      for (const response_format of ["text", "srt", "vtt"] as const) {
        const text = await open(stage).audio.transcriptions.create({
          file: await sample(stage),
          model: "whisper-1",
          response_format,
        });
        assertHeard(stage, String(text));
        if (response_format === "vtt") expect(String(text).startsWith("WEBVTT\n\n"), "WebVTT begins so", text);
        if (response_format === "srt") expect(/^1\n00:00:\d\d,\d{3} --> /.test(String(text)), "SubRip begins so", text);
      }
    }),
    row("verbose_json, words and segments", async (stage) => {
      const answer = await open(stage).audio.transcriptions.create({
        file: await sample(stage),
        model: "whisper-1",
        response_format: "verbose_json",
        timestamp_granularities: ["word", "segment"],
      });
      const { words = [], segments = [], language, duration } = answer;
      expectEqual(language, "english", "the language's name");
      expect(Math.abs(duration - 28.3) < 0.5, "the duration", duration);
      expect(words.length > 50 && words.every(({ start, end }) => start <= end), "words with times", words.slice(0, 3));
      const known = ["id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob"];
      expect(
        known.every((name) => name in (segments[0] ?? {})),
        "a segment's fields",
        segments[0],
      );
      expect((segments[0]?.tokens.length ?? 0) > 0, "tokens", segments[0]);
    }),
    row("diarized_json", async (stage) => {
      const answer = (await open(stage).audio.transcriptions.create({
        file: await sample(stage),
        model: "gpt-4o-transcribe-diarize",
        response_format: "diarized_json",
        chunking_strategy: "auto",
      })) as unknown as { segments: { id: string; type: string; speaker: string; text: string }[] };
      expect(
        answer.segments.every(({ type }) => type === "transcript.text.segment"),
        "their type",
        answer.segments[0],
      );
      expectEqual([...new Set(answer.segments.map(({ speaker }) => speaker))], ["A", "B"], "two speakers");
    }),
    row("stream", async (stage) => {
      const stream = await open(stage).audio.transcriptions.create({
        file: await sample(stage),
        model: "gpt-4o-mini-transcribe",
        stream: true,
      });
      let deltas = "";
      let done = "";
      for await (const event of stream) {
        if (event.type === "transcript.text.delta") deltas += event.delta;
        if (event.type === "transcript.text.done") done = event.text;
      }
      assertHeard(stage, done);
      expectEqual(deltas.trim(), done, "the deltas together");
    }),
    row("translations", async (stage) => {
      const file = await sample(stage);
      // The bundled model knows only English: it says so, in this API's words.
      const refused = await failure(open(stage).audio.translations.create({ file, model: "whisper-1" }));
      expect(refused instanceof OpenAI.BadRequestError, "a BadRequestError", refused.message);
      expect(refused.message.includes("cannot translate"), "the reason", refused.message);
    }),
    row("models", async (stage) => {
      const ids: string[] = [];
      for await (const { id } of open(stage).models.list()) ids.push(id);
      expect(ids.includes("whisper-1"), "whisper-1 is listed", ids);
      expectEqual((await open(stage).models.retrieve("whisper-1")).id, "whisper-1", "one model");
    }),
    row("errors: key, model, format, no audio", async (stage) => {
      const file = await sample(stage);
      const wrongKey = open({ ...stage, key: `sr_aaaaaaaa_${"b".repeat(40)}` });
      const unauthorized = await failure(wrongKey.audio.transcriptions.create({ file, model: "whisper-1" }));
      expectEqual([unauthorized.name, unauthorized.status], ["Error", 401], "a wrong key");
      expect(unauthorized instanceof OpenAI.AuthenticationError, "an AuthenticationError");
      const unknown = await failure(open(stage).audio.transcriptions.create({ file, model: "no-such-model" }));
      expect(unknown instanceof OpenAI.NotFoundError, "a NotFoundError", unknown.status);
      expectEqual(unknown.code, "model_not_found", "its code");
      const format = { response_format: "docx" as "json" };
      const wrong = await failure(open(stage).audio.transcriptions.create({ file, model: "whisper-1", ...format }));
      expectEqual([wrong.status, wrong.param], [400, "response_format"], "a wrong format");
      const noAudio = await toFile(Buffer.from("these are words, not sounds"), RIFF);
      const refused = await failure(open(stage).audio.transcriptions.create({ file: noAudio, model: "whisper-1" }));
      expect(refused instanceof OpenAI.BadRequestError, "a BadRequestError", refused.status);
    }),
    row(
      "an hour",
      async (stage) => {
        const file = await toFile(hourOfSpeech(stage), "hour.flac");
        const answer = await open(stage, { timeout: 3_600_000 }).audio.transcriptions.create({
          file,
          model: "whisper-1",
        });
        expect(answer.text.length > 50_000, "the text of an hour", answer.text.length);
      },
      { hour: true },
    ),
  ];
});
