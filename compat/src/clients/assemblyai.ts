import { startReceiver } from "@scribe/testing";
import { AssemblyAI } from "assemblyai";
import { expect, expectEqual, failure } from "../expect.ts";
import { hourOfSpeech } from "../hour.ts";
import type { Row } from "../row.ts";
import { assertHeard, type Stage } from "../stage.ts";

const open = ({ url, key }: Stage) => new AssemblyAI({ apiKey: key, baseUrl: `${url}/assemblyai` });
const QUICK = { pollingInterval: 200 };

const row = (feature: string, run: Row["run"], more: Partial<Row> = {}): Row => ({
  ...{ client: "assemblyai 4", feature, run },
  ...more,
});

export const assemblyaiRows: readonly Row[] = [
  row("transcribe a file: words, speakers, then its parts, then delete", async (stage) => {
    const client = open(stage);
    const audio = Buffer.from(stage.sample.bytes);
    const transcript = await client.transcripts.transcribe({ audio, speaker_labels: true }, QUICK);
    expectEqual(transcript.status, "completed", "its status");
    assertHeard(stage, transcript.text ?? "");
    const [word] = transcript.words ?? [];
    expect(word?.text === "Hello," && Number.isInteger(word.end) && word.end >= word.start, "times in ms", word);
    expectEqual([...new Set(transcript.utterances?.map(({ speaker }) => speaker))], ["A", "B"], "speakers");
    const { id } = transcript;
    const { sentences } = await client.transcripts.sentences(id);
    expect(sentences.length >= 6, "sentences", sentences.length);
    const { paragraphs } = await client.transcripts.paragraphs(id);
    expect(paragraphs.length >= 2 && (paragraphs[0]?.words.length ?? 0) > 0, "paragraphs", paragraphs.length);
    const vtt = await client.transcripts.subtitles(id, "vtt");
    expect(vtt.startsWith("WEBVTT"), "WebVTT", vtt.slice(0, 20));
    const srt = await client.transcripts.subtitles(id, "srt", 24);
    const texts = srt.split(/\n\n/).map((cue) => cue.split("\n").slice(2).join("\n"));
    expect(
      texts.every((text) => text.length <= 24),
      "at most 24 characters a caption",
      texts,
    );
    const found = await client.transcripts.wordSearch(id, ["laptop", "the ticket"]);
    expect(found.total_count >= 2 && found.matches.length === 2, "found words", found);
    const deleted = await client.transcripts.delete(id);
    expectEqual(deleted.id, id, "what was deleted");
    expect((await failure(client.transcripts.get(id))).message !== "", "it is gone");
  }),
  row("transcribe a URL, list", async (stage) => {
    const client = open(stage);
    const transcript = await client.transcripts.transcribe(
      { audio: stage.sample.url, speech_model: "universal" },
      QUICK,
    );
    assertHeard(stage, transcript.text ?? "");
    const { page_details, transcripts } = await client.transcripts.list({ limit: 1 });
    expectEqual([page_details.result_count, transcripts.length], [1, 1], "a page of one");
    expect(transcripts[0]?.id === transcript.id && transcripts[0].status === "completed", "the newest", transcripts[0]);
    if (page_details.prev_url !== null) await client.transcripts.list(page_details.prev_url);
  }),
  row("webhook with a header of its own", async (stage) => {
    const receiver = await startReceiver();
    try {
      const { id } = await open(stage).transcripts.submit({
        ...{ audio: stage.sample.url, webhook_url: receiver.url },
        ...{ webhook_auth_header_name: "X-My-Secret", webhook_auth_header_value: "open sesame" },
      });
      const [request] = await receiver.waitForRequests(1, { timeoutMs: 120_000 });
      expectEqual(request?.json(), { transcript_id: id, status: "completed" }, "the body");
      expectEqual(request?.headers["x-my-secret"], "open sesame", "the header");
    } finally {
      await receiver.stop();
    }
  }),
  row("errors: key, unreachable audio", async (stage) => {
    const wrongKey = open({ ...stage, key: `sr_aaaaaaaa_${"b".repeat(40)}` });
    const refused = await failure(wrongKey.transcripts.submit({ audio: stage.sample.url }));
    expect(/key/i.test(refused.message), "a wrong key", refused.message);
    const missing = `${new URL(stage.sample.url).origin}/no-such-file.wav`;
    const transcript = await open(stage).transcripts.transcribe({ audio: missing }, QUICK);
    expect(
      transcript.status === "error" && (transcript.error ?? "").length > 10,
      "an error that says why",
      transcript.error,
    );
  }),
  row(
    "an hour",
    async (stage) => {
      const transcript = await open(stage).transcripts.transcribe({ audio: Buffer.from(hourOfSpeech(stage)) }, QUICK);
      expect((transcript.text ?? "").length > 50_000, "the text of an hour", transcript.text?.length);
    },
    { hour: true },
  ),
];
