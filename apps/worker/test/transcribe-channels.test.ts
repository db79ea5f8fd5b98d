import { describe, expect, test } from "@jest/globals";
import type { EngineCheckpoint, EngineEvent, EngineRequest, EngineSegment } from "@scribe/domain";
import { transcribeChannels } from "../src/engines/transcribe-channels.ts";

const figures = { avg_logprob: -0.2, no_speech_prob: 0, compression_ratio: 1, temperature: 0 };
const channels = [0, 2].map((index) => ({
  index,
  audio: { path: `${index}.pcm`, samples: 160_000, durationSeconds: 10 },
}));
const request: EngineRequest = {
  jobId: "job",
  model: "model",
  audio: channels[0]!.audio,
  options: {},
  metadata: {},
  resume: null,
  alone: false,
};

/** Two windows of 5 s a channel; its checkpoints hold for the same `model`. */
function engineOf(model: string, said: Record<string, string> = { "0.pcm": "one two three", "2.pcm": "eins" }) {
  const asked: string[] = [];
  async function* transcribe({ audio, resume }: EngineRequest): AsyncGenerator<EngineEvent> {
    let next = 0;
    if (resume) {
      if (resume.fingerprint === model) next = (resume.state as { next: number }).next;
      else yield { type: "restart" };
    }
    asked.push(`${audio.path}:${next}`);
    yield { type: "language", language: audio.path === "0.pcm" ? "en" : "de", probability: 0.9 };
    for (; next < 2; next++) {
      const text = said[audio.path]!;
      const [start, end] = [next * 5, next * 5 + 4];
      const segment: EngineSegment = {
        start,
        end,
        text,
        words: [{ word: text, start, end, probability: 1 }],
        ...figures,
      };
      const processedSeconds = (next + 1) * 5;
      const checkpoint = { fingerprint: model, processedSeconds, state: { next: next + 1 } };
      yield { type: "window", segments: [segment], processedSeconds, totalSeconds: 10, checkpoint };
    }
    yield { type: "done", language: null, languageProbability: null, wordsMethod: "made" };
  }
  return { transcribe, asked };
}

async function hear(engine: ReturnType<typeof engineOf>, resume: EngineCheckpoint | null = null) {
  const events: EngineEvent[] = [];
  const heard = transcribeChannels(engine, channels).transcribe({ ...request, resume }, new AbortController().signal);
  for await (const event of heard) events.push(event);
  return events;
}
const windowsOf = (events: EngineEvent[]) => events.filter((event) => event.type === "window");
/** As it comes out of the database. */
const stored = (checkpoint: EngineCheckpoint): EngineCheckpoint => JSON.parse(JSON.stringify(checkpoint));

describe("channels one after the other", () => {
  test("are speakers, and progress goes over all of them", async () => {
    const windows = windowsOf(await hear(engineOf("a")));
    expect(windows.map(({ processedSeconds, totalSeconds }) => [processedSeconds, totalSeconds])).toEqual([
      [5, 20],
      [10, 20],
      [15, 20],
      [20, 20],
    ]);
    const [first, , , last] = windows.flatMap(({ segments }) => segments);
    expect(first).toMatchObject({ channel: 0, speaker: "SPEAKER_00", language: "en" });
    expect(last).toMatchObject({
      channel: 2,
      speaker: "SPEAKER_02",
      language: "de",
      words: [{ speaker: "SPEAKER_02" }],
    });
  });

  test("the language is that of most that was said", async () => {
    const done = { type: "done", languageProbability: 0.9, wordsMethod: "made" };
    expect((await hear(engineOf("a"))).at(-1)).toEqual({ ...done, language: "en" });
    const german = engineOf("a", { "0.pcm": "yes", "2.pcm": "guten Morgen" });
    expect((await hear(german)).at(-1)).toEqual({ ...done, language: "de" });
  });

  test.each([0, 1, 2, 3])("go on after window %i as if nothing had happened", async (last) => {
    const undisturbed = await hear(engineOf("a"));
    const engine = engineOf("a");
    const events = await hear(engine, stored(windowsOf(undisturbed)[last]!.checkpoint));
    expect(windowsOf(events)).toEqual(windowsOf(undisturbed).slice(last + 1));
    expect(events.at(-1)).toEqual(undisturbed.at(-1));
    expect(engine.asked).toEqual(last < 2 ? [`0.pcm:${last + 1}`, "2.pcm:0"] : [`2.pcm:${last - 1}`]);
  });

  test.each([0, 2])("all start again where the checkpoint of window %i was another model's", async (last) => {
    const old = stored(windowsOf(await hear(engineOf("a")))[last]!.checkpoint);
    const events = await hear(engineOf("b"), old);
    expect(events[0]).toEqual({ type: "restart" });
    expect(events.filter(({ type }) => type === "restart")).toHaveLength(1);
    expect(windowsOf(events)).toEqual(windowsOf(await hear(engineOf("b"))));
  });

  test("start again where the checkpoint is of the mix", async () => {
    const events = await hear(engineOf("a"), { fingerprint: "a", processedSeconds: 5, state: { next: 1 } });
    expect(events[0]).toEqual({ type: "restart" });
    expect(windowsOf(events)).toHaveLength(4);
  });
});
