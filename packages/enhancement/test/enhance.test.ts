import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import type { EnhancementOptions, EnhancementTask, Segment } from "@scribe/domain";
import { enhance, type Source, sourceOfText, sourceOfTranscript } from "../src/index.ts";
import { type ChatBox, openChatBox, stepsInMemory } from "./chat-box.ts";

let box: ChatBox;
beforeEach(async () => {
  box = await openChatBox();
});
afterEach(() => box.stop());

const figures = { avg_logprob: 0, no_speech_prob: 0, compression_ratio: 1, temperature: 0 };
const segment = (id: number, text: string, speaker?: string): Segment => ({
  ...{ id, start: id * 10, end: id * 10 + 8, text, ...figures },
  ...(speaker === undefined ? {} : { speaker }),
});

const MEETING = sourceOfTranscript({
  duration: 40,
  segments: [
    segment(0, " Welcome, everybody, to the planning of the harbour festival.", "SPEAKER_00"),
    segment(1, " Thanks. I will book the tents with Miller by Friday.", "SPEAKER_01"),
    segment(2, " And the music?", "SPEAKER_00"),
    segment(3, " Anna knows a brass band.", "SPEAKER_01"),
  ],
});

const run = (
  tasks: EnhancementTask[],
  more: {
    source?: Source;
    options?: EnhancementOptions;
    contextTokens?: number;
    steps?: ReturnType<typeof stepsInMemory>;
  } = {},
) =>
  enhance({
    source: more.source ?? MEETING,
    tasks,
    options: more.options ?? {},
    chat: box.chat,
    contextTokens: more.contextTokens ?? 8192,
    steps: more.steps ?? stepsInMemory(),
    signal: AbortSignal.timeout(20_000),
  });

test("each task has its output", async () => {
  const steps = stepsInMemory();
  const tasks: EnhancementTask[] = [
    ...(["summary", "title", "action_items", "chapters", "translate"] as const),
    ...(["entities", "sentiment", "keywords", "custom"] as const),
  ];
  const { outputs, warnings } = await run(tasks, {
    steps,
    options: {
      prompt: "Who plays?",
      target_language: "de",
      schema: {
        type: "object",
        properties: { who: { type: "string" } },
        required: ["who"],
        additionalProperties: false,
      },
    },
  });
  expect(outputs).toEqual({
    summary: "In short: Welcome, everybody, to the planning of the harbour festival. Thanks. I will",
    title: "Welcome, everybody, to the",
    action_items: [
      {
        text: "Thanks. I will book the tents with Miller by Friday.",
        owner: "SPEAKER_01",
        due: null,
        quote: "Thanks. I will book the tents with Miller by Friday",
        ...{ start: 10, end: 18 },
      },
    ],
    chapters: [expect.objectContaining({ quote: "Welcome, everybody, to the", start: 0, end: 38 })],
    translate: {
      language: "de",
      text: expect.stringContaining("«And the music?»"),
      segments: expect.arrayContaining([{ start: 20, end: 28, speaker: "SPEAKER_00", text: "«And the music?»" }]),
    },
    entities: [
      { text: "Miller", type: "person", quote: "Miller", start: 10, end: 18 },
      { text: "Friday", type: "person", quote: "Friday", start: 10, end: 18 },
    ],
    sentiment: { label: "neutral", score: 0, reason: "Nobody raised their voice." },
    keywords: ["everybody", "planning", "harbour", "festival"],
    custom: { who: "stand-in" },
  });
  expect(warnings).toEqual([]);
  // One question a task, and progress that rises.
  expect(box.standIn.calls).toHaveLength(9);
  expect(steps.progress).toEqual([...steps.progress].sort((a, b) => a - b));
  expect(steps.progress.at(-1)).toBe(99);
});

test("what does not fit is read part by part, and no request is longer than the model's context", async () => {
  const long = sourceOfTranscript({
    duration: 3000,
    segments: Array.from({ length: 300 }, (_, id) =>
      segment(id, ` Line number ${id} of the talk about lighthouses; somebody will paint the lighthouse.`),
    ),
  });
  const contextTokens = 1500;
  const steps = stepsInMemory();
  // Notes that are as long as they may be.
  box.standIn.answer = ({ body }) =>
    body.messages[0]?.content.startsWith("Task: notes") ? { notes: "boats ".repeat(1000) } : undefined;
  const { outputs } = await run(["summary", "title", "action_items", "translate", "chapters"], {
    ...{ source: long, contextTokens, steps },
    options: { target_language: "fr" },
  });
  // Three bytes a token is what we count with.
  for (const { body } of box.standIn.calls) {
    const bytes = Buffer.byteLength(body.messages.map(({ content }) => content).join(""));
    expect(Math.ceil(bytes / 3) + (body.max_tokens ?? 0)).toBeLessThanOrEqual(contextTokens);
  }
  expect(outputs.summary).toMatch(/^In short: boats boats/);
  expect(outputs.action_items).toHaveLength(300);
  expect((outputs.action_items as { start: number }[]).map(({ start }) => start)).toEqual(
    long.lines.map(({ start }) => start),
  );
  const { segments } = outputs.translate as { segments: { text: string }[] };
  expect(segments).toHaveLength(300);
  expect(segments[299]?.text).toContain("Line number 299");
  const chapters = outputs.chapters as { start: number; end: number }[];
  expect(chapters.length).toBeGreaterThan(5);
  for (const [index, chapter] of chapters.entries()) expect(chapter.end).toBe(chapters[index + 1]?.start ?? 2998);
  // Summary and title share the notes; notes were folded more than once.
  expect([...steps.kept.keys()].filter((step) => step.startsWith("notes/0-"))).toHaveLength(1);
  expect([...steps.kept.keys()].some((step) => step.includes("round 1"))).toBe(true);
});

test("a finished step is asked no second time", async () => {
  const steps = stepsInMemory();
  box.standIn.fail({ status: 500 }, { after: 2 });
  await expect(run(["summary", "title", "keywords"], { steps })).rejects.toMatchObject({
    code: "provider_error",
    retryable: true,
  });
  expect([...steps.kept.keys()]).toEqual(["summary", "title"]);
  const before = box.standIn.calls.length;
  const { outputs } = await run(["summary", "title", "keywords"], { steps });
  expect(box.standIn.calls).toHaveLength(before + 1);
  expect(Object.keys(outputs)).toEqual(["summary", "title", "keywords"]);
});

describe("quotes", () => {
  const answer = (value: unknown) => {
    box.standIn.answer = () => value;
  };

  test("one that nobody said is dropped with a warning, and its chapter with it", async () => {
    answer({
      chapters: [
        { title: "A", summary: "", quote: "never said", line: 0 },
        { title: "B", summary: "", quote: "AND the music", line: null },
      ],
    });
    const { outputs, warnings } = await run(["chapters"]);
    expect(outputs.chapters).toEqual([{ title: "B", summary: "", quote: "And the music", start: 20, end: 38 }]);
    expect(warnings).toEqual(["chapters: one was dropped whose beginning does not occur in the transcript"]);
    answer({
      items: [
        { text: "Buy milk", owner: null, due: null, quote: "buy the milk", line: 1 },
        { text: "b", owner: null, due: null, quote: "", line: 1 },
      ],
    });
    const items = await run(["action_items"]);
    expect(items.outputs.action_items).toEqual([
      { text: "Buy milk", owner: null, due: null, quote: null, start: null, end: null },
      { text: "b", owner: null, due: null, quote: null, start: null, end: null },
    ]);
    expect(items.warnings).toEqual([
      "action_items: a quote was dropped that does not occur in the transcript (2 times)",
    ]);
  });

  test("has the times of its words, across segments, nearest to the line that was named", async () => {
    const word = (text: string, start: number) => ({ word: text, start, end: start + 0.5, probability: 1 });
    const source = sourceOfTranscript({
      duration: 30,
      segments: [
        { ...segment(0, " Yes, we do."), words: [word(" Yes,", 1), word(" we", 2), word(" do.", 3)] },
        { ...segment(1, " Yes, we can."), words: [word(" Yes,", 11), word(" we", 12), word(" can.", 13)] },
        segment(2, " 我们明天见。"),
        // Corrected since its words were heard.
        { ...segment(3, " Call Müller."), words: [word(" Call", 31), word(" Miller.", 32)] },
      ],
    });
    answer({
      entities: [
        { text: "a", type: "other", quote: "yes we", line: 1 },
        { text: "b", type: "other", quote: "we do yes", line: null },
        { text: "c", type: "date", quote: "明天", line: 2 },
        { text: "d", type: "person", quote: "MÜLLER", line: null },
      ],
    });
    const { outputs } = await run(["entities"], { source });
    expect(outputs.entities).toEqual([
      { text: "a", type: "other", quote: "Yes, we", start: 11, end: 12.5 },
      { text: "b", type: "other", quote: "we do. Yes", start: 2, end: 11.5 },
      { text: "c", type: "date", quote: "明天", start: 20, end: 28 },
      { text: "d", type: "person", quote: "Müller", start: 30, end: 38 },
    ]);
  });

  test("a text has no times", async () => {
    const { outputs } = await run(["action_items", "translate"], {
      source: sourceOfText("We met. I will call.\n\nBye."),
      options: { target_language: "de" },
    });
    expect(outputs.action_items).toEqual([
      { text: "I will call.", owner: null, due: null, quote: "I will call", start: null, end: null },
    ]);
    expect(outputs.translate).toEqual({ language: "de", text: "«We met.» «I will call.» «Bye.»" });
  });
});

test("a text without an end to its lines is cut", async () => {
  const { lines } = sourceOfText(`${"x".repeat(1500)} ${"😀".repeat(700)}`);
  expect(lines.length).toBeGreaterThan(4);
  for (const { text } of lines) expect([text.length <= 600, text.isWellFormed()]).toEqual([true, true]);
});

test("a context without room for a sentence is told", async () => {
  await expect(run(["summary"], { contextTokens: 512, options: {} })).rejects.toMatchObject({
    code: "context_too_small",
  });
});
