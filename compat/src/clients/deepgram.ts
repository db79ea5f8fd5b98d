import { startReceiver, waitFor } from "@scribe/testing";
import { CallbackUrl, createClient } from "deepgram-4";
import { DeepgramClient } from "deepgram-5";
import { expect, expectEqual, failure } from "../expect.ts";
import { hourOfSpeech } from "../hour.ts";
import type { Row } from "../row.ts";
import { assertHeard, type Stage } from "../stage.ts";

const open4 = ({ url, key }: Stage) =>
  createClient(key, { global: { fetch: { options: { url: `${url}/deepgram/` } } } });
const open5 = ({ url, key }: Stage) => new DeepgramClient({ apiKey: key, baseUrl: `${url}/deepgram` });

const ALL = { model: "nova-3", smart_format: true, diarize: true, utterances: true, paragraphs: true } as const;

interface Answer {
  metadata: { request_id: string; duration: number; channels: number; models: string[]; sha256: string };
  results: {
    channels: {
      alternatives: {
        transcript: string;
        confidence: number;
        words: { word: string; punctuated_word?: string; start: number; end: number; speaker?: number }[];
        paragraphs?: { transcript: string; paragraphs: { sentences: unknown[]; speaker?: number }[] };
      }[];
    }[];
    utterances?: { transcript: string; speaker?: number }[];
  };
}

function assertWhole(stage: Stage, { metadata, results }: Answer): void {
  const best = results.channels[0]?.alternatives[0];
  expect(best !== undefined, "an alternative");
  assertHeard(stage, best.transcript);
  expect(
    metadata.channels === 1 && metadata.models.length === 1 && metadata.sha256.length === 64,
    "metadata",
    metadata,
  );
  const [first] = best.words;
  expect(best.words.length > 50 && first?.word === "hello" && first.punctuated_word === "Hello,", "words", first);
  expectEqual([...new Set(results.utterances?.map(({ speaker }) => speaker))], [0, 1], "speakers from 0");
  expect((best.paragraphs?.paragraphs.length ?? 0) >= 2, "paragraphs", best.paragraphs);
}

export const deepgramRows: readonly Row[] = [
  {
    client: "deepgram 4",
    feature: "transcribeFile: words, speakers, utterances, paragraphs",
    async run(stage) {
      const { result, error } = await open4(stage).listen.prerecorded.transcribeFile(
        Buffer.from(stage.sample.bytes),
        ALL,
      );
      expect(error === null, "no error", error);
      assertWhole(stage, result as unknown as Answer);
    },
  },
  {
    client: "deepgram 4",
    feature: "transcribeUrl",
    async run(stage) {
      const { result } = await open4(stage).listen.prerecorded.transcribeUrl(
        { url: stage.sample.url },
        { model: "nova-2" },
      );
      assertHeard(stage, result?.results.channels[0]?.alternatives[0]?.transcript ?? "");
    },
  },
  {
    client: "deepgram 4",
    feature: "transcribeUrlCallback, with credentials in the address",
    async run(stage) {
      const receiver = await startReceiver();
      try {
        const callback = new URL(receiver.url);
        [callback.username, callback.password] = ["me", "it's secret"];
        const { result, error } = await open4(stage).listen.prerecorded.transcribeUrlCallback(
          { url: stage.sample.url },
          new CallbackUrl(callback.href),
          ALL,
        );
        expect(error === null && result !== null, "no error", error);
        const request = await waitFor(async () => receiver.requests[0] ?? null, { timeoutMs: 120_000 });
        expectEqual(request.headers.authorization, `Basic ${btoa("me:it's secret")}`, "the credentials as a header");
        expect(typeof request.headers["dg-token"] === "string", "the token's id", request.headers);
        const answer = JSON.parse(request.body.toString()) as Answer;
        expectEqual(answer.metadata.request_id, result.request_id, "the same request");
        assertWhole(stage, answer);
      } finally {
        await receiver.stop();
      }
    },
  },
  {
    client: "deepgram 4",
    feature: "errors: key, no audio",
    async run(stage) {
      const wrongKey = open4({ ...stage, key: `sr_aaaaaaaa_${"b".repeat(40)}` });
      const refused = await wrongKey.listen.prerecorded.transcribeUrl({ url: stage.sample.url }, {});
      expectEqual((refused.error as { status?: number } | null)?.status, 401, "a wrong key");
      const noAudio = await open4(stage).listen.prerecorded.transcribeFile(Buffer.from("words, not sounds"), {});
      expectEqual((noAudio.error as { status?: number } | null)?.status, 400, "no audio");
    },
  },
  {
    client: "deepgram 5",
    feature: "transcribeFile: words, speakers, utterances, paragraphs",
    async run(stage) {
      const answer = await open5(stage).listen.v1.media.transcribeFile(Buffer.from(stage.sample.bytes), ALL);
      assertWhole(stage, answer as unknown as Answer);
    },
  },
  {
    client: "deepgram 5",
    feature: "transcribeUrl, language with its region",
    async run(stage) {
      const answer = await open5(stage).listen.v1.media.transcribeUrl({
        ...{ url: stage.sample.url, language: "en-US", model: "nova-3" },
      });
      assertHeard(stage, (answer as unknown as Answer).results.channels[0]?.alternatives[0]?.transcript ?? "");
    },
  },
  {
    client: "deepgram 5",
    feature: "errors: key, no audio",
    async run(stage) {
      const wrongKey = open5({ ...stage, key: `sr_aaaaaaaa_${"b".repeat(40)}` });
      const refused = await failure(wrongKey.listen.v1.media.transcribeUrl({ url: stage.sample.url }));
      expectEqual(refused.statusCode, 401, "a wrong key");
      const noAudio = await failure(open5(stage).listen.v1.media.transcribeFile(Buffer.from("words, not sounds"), {}));
      expectEqual(noAudio.statusCode, 400, "no audio");
    },
  },
  {
    client: "deepgram 5",
    feature: "an hour",
    hour: true,
    async run(stage) {
      const answer = await open5(stage).listen.v1.media.transcribeFile(
        Buffer.from(hourOfSpeech(stage)),
        {},
        { timeoutInSeconds: 3600 },
      );
      const { transcript = "" } = (answer as unknown as Answer).results.channels[0]?.alternatives[0] ?? {};
      expect(transcript.length > 50_000, "the text of an hour", transcript.length);
    },
  },
];
