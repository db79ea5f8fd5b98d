import { startReceiver } from "@scribe/testing";
import runpodSdk from "runpod-sdk";
import { expect, expectEqual } from "../expect.ts";
import { hourOfSpeech } from "../hour.ts";
import type { Row } from "../row.ts";
import { assertHeard, type Stage } from "../stage.ts";

const open = ({ url, key }: Stage, endpoint = "whisper") =>
  runpodSdk(key, { baseUrl: `${url}/runpod/v2` }).endpoint(endpoint) as NonNullable<
    ReturnType<ReturnType<typeof runpodSdk>["endpoint"]>
  >;

interface Segment {
  text: string;
  words: { word: string; start: number }[];
}

interface Ended {
  id: string;
  status: string;
  output?: unknown[];
  error?: string;
  delayTime: number;
  executionTime: number;
}

const TERMINAL = ["COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"];

async function poll(endpoint: ReturnType<typeof open>, id: string): Promise<Ended> {
  for (;;) {
    const status = (await endpoint.status(id)) as unknown as Ended;
    if (TERMINAL.includes(status.status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const row = (feature: string, run: Row["run"], more: Partial<Row> = {}): Row => ({
  ...{ client: "runpod-sdk 1", feature, run },
  ...more,
});

const args = (stage: Stage, more = {}) => ({ transcribe_args: { url: stage.sample.url, language: "en" }, ...more });

export const runpodRows: readonly Row[] = [
  row("run and status: the list of yields", async (stage) => {
    const endpoint = open(stage);
    const { id, status } = await endpoint.run({ input: { ...args(stage), recording_id: "r-1" } });
    expectEqual(status, "IN_QUEUE", "the first status");
    const ended = await poll(endpoint, id);
    expectEqual(ended.status, "COMPLETED", "its status");
    const [first] = ended.output as [{ result: Segment[][] }];
    const segments = first.result.flat();
    assertHeard(stage, segments.map(({ text }) => text).join(" "));
    expect((segments[0]?.words.length ?? 0) > 0, "words", segments[0]);
    expect(ended.delayTime >= 0 && ended.executionTime > 0, "times", ended);
  }),
  row("runSync with a blob and speakers", async (stage) => {
    const blob = Buffer.from(stage.sample.bytes).toString("base64");
    const ended = (await open(stage).runSync({
      input: { transcribe_args: { blob, diarize: true, diarization_args: { num_speakers: 2 } } },
    })) as unknown as Ended;
    expectEqual(ended.status, "COMPLETED", "its status");
    const [{ result }] = ended.output as [{ result: (Segment & { speakers: string[] })[][] }];
    const speakers = new Set(result.flat().flatMap((segment) => segment.speakers));
    expectEqual([...speakers].sort(), ["SPEAKER_00", "SPEAKER_01"], "the speakers");
  }),
  row("stream: each item once, until drained", async (stage) => {
    const endpoint = open(stage);
    const { id } = await endpoint.run({ input: { ...args(stage, { streaming: true }), type: "url" } });
    const texts: string[] = [];
    for await (const { output } of endpoint.stream(id) as AsyncGenerator<{ output: Segment[] }>) {
      for (const { text } of output) texts.push(text);
    }
    assertHeard(stage, texts.join(" "));
    expectEqual(texts.length, new Set(texts).size, "no text twice");
    for await (const item of endpoint.stream(id)) throw new Error(`an item a second time: ${JSON.stringify(item)}`);
  }),
  row("stream of `ivrit`: items with a type", async (stage) => {
    const endpoint = open(stage, "ivrit");
    const { id } = await endpoint.run({ input: args(stage, { streaming: true }) });
    const items: { type: string; data: Segment[]; index?: number }[] = [];
    for await (const { output } of endpoint.stream(id) as AsyncGenerator<{ output: (typeof items)[number] }>)
      items.push(output);
    const segments = items.filter(({ type }) => type === "segments");
    assertHeard(stage, segments.flatMap(({ data }) => data.map(({ text }) => text)).join(" "));
    expectEqual(
      segments.map(({ index }) => index),
      segments.map((_, index) => index),
      "their numbers",
    );
    expect(
      items.some(({ type }) => type === "progress"),
      "progress",
      items.map(({ type }) => type),
    );
  }),
  row("webhook: the whole status", async (stage) => {
    const receiver = await startReceiver();
    try {
      const { id } = await open(stage).run({ input: args(stage), webhook: receiver.url });
      const [request] = await receiver.waitForRequests(1, { timeoutMs: 120_000 });
      const told = request?.json() as Ended;
      expectEqual([told.id, told.status], [id, "COMPLETED"], "which job, and how it ended");
      expect(Array.isArray(told.output), "its output", told);
    } finally {
      await receiver.stop();
    }
  }),
  row("failure, cancel, health, purge", async (stage) => {
    const endpoint = open(stage);
    const missing = await endpoint.run({
      input: { transcribe_args: { url: `${new URL(stage.sample.url).origin}/none.wav` } },
    });
    const failed = await poll(endpoint, missing.id);
    expect(failed.status === "FAILED" && (failed.error ?? "").length > 10, "a failure that says why", failed);
    const { id } = await endpoint.run({ input: args(stage) });
    expectEqual((await endpoint.cancel(id)).status, "CANCELLED", "the cancelled one");
    const health = await endpoint.health();
    expect(
      health.jobs.completed > 0 && health.jobs.failed > 0 && health.workers.ready + health.workers.running > 0,
      "health",
      health,
    );
    expectEqual((await endpoint.purgeQueue()).status, "completed", "a purge");
  }),
  row("errors: key, unknown job, no audio", async (stage) => {
    const wrongKey = open({ ...stage, key: `sr_aaaaaaaa_${"b".repeat(40)}` });
    const refused = await wrongKey.run({ input: args(stage) }).then(
      (answer) => (answer as unknown as { status: number }).status,
      (error: { response?: { status: number } }) => error.response?.status,
    );
    expectEqual(refused, 401, "a wrong key");
    const unknown = await open(stage)
      .status("no-such-job")
      .then(
        (answer) => (answer as unknown as { status: unknown }).status,
        (error: { response?: { status: number } }) => error.response?.status,
      );
    expectEqual(unknown, 404, "an unknown job");
  }),
  row(
    "an hour",
    async (stage) => {
      const url = stage.files.serve("hour.flac", { bytes: hourOfSpeech(stage), contentType: "audio/flac" });
      const endpoint = open(stage);
      const { id } = await endpoint.run({ input: { transcribe_args: { url } } });
      const [first] = (await poll(endpoint, id)).output as [{ result: Segment[][] }];
      expect(first.result.flat().length > 500, "the segments of an hour", first.result.length);
    },
    { hour: true },
  ),
];
