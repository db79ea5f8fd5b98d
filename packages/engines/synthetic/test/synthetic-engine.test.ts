import { describe, expect, test } from "@jest/globals";
import type { EngineCheckpoint, EngineEvent, EngineRequest } from "@scribe/domain";
import { createSyntheticEngine, readScript, secondsWithoutAudio } from "../src/index.ts";

const request = (synthetic: unknown, resume: EngineCheckpoint | null = null, jobId = "job-1"): EngineRequest => ({
  jobId,
  model: "synthetic",
  audio: { path: "", samples: 0, durationSeconds: 95 },
  options: {},
  metadata: { synthetic },
  resume,
  alone: false,
});

const never = new AbortController().signal;

async function play(engine = createSyntheticEngine(), asked = request({}), signal = never) {
  const events: EngineEvent[] = [];
  for await (const event of engine.transcribe(asked, signal)) events.push(event);
  return events;
}

const windowsOf = (events: EngineEvent[]) => events.filter((event) => event.type === "window");
const segmentsOf = (events: EngineEvent[]) => windowsOf(events).flatMap((window) => window.segments);

describe("the synthetic engine", () => {
  test("plays as many windows as the audio fills, the last one as long as what is left", async () => {
    const events = await play();
    expect(segmentsOf(events).map(({ start, end }) => [start, end])).toEqual([
      [0, 30],
      [30, 60],
      [60, 90],
      [90, 95],
    ]);
    expect(windowsOf(events).at(-1)).toMatchObject({ processedSeconds: 95, totalSeconds: 95 });
    expect(events.at(-1)).toMatchObject({ type: "done", language: "en" });
  });

  test("says the same when it goes on after any of its checkpoints", async () => {
    const asked = { windows: 5, text: "Number {n}." };
    const whole = await play(undefined, request(asked));
    for (const [index, window] of windowsOf(whole).entries()) {
      const rest = await play(undefined, request(asked, window.checkpoint));
      expect(rest.some((event) => event.type === "restart")).toBe(false);
      expect([...segmentsOf(whole).slice(0, index + 1), ...segmentsOf(rest)]).toEqual(segmentsOf(whole));
    }
  });

  test("starts again where the checkpoint is of another script", async () => {
    const [window] = windowsOf(await play(undefined, request({ windows: 2, text: "old" })));
    const events = await play(undefined, request({ windows: 2, text: "new" }, window!.checkpoint));
    expect(events[0]).toEqual({ type: "restart" });
    expect(segmentsOf(events).map(({ text }) => text)).toEqual(["new", "new"]);
  });

  test("fails where the script says so, and only as often", async () => {
    const engine = createSyntheticEngine();
    const asked = request({ windows: 3, fail_at: 1, fail_times: 2, error_code: "out_of_memory" });
    for (let i = 0; i < 2; i++) {
      await expect(play(engine, asked)).rejects.toMatchObject({ code: "out_of_memory", retryable: true });
    }
    expect(windowsOf(await play(engine, asked))).toHaveLength(3);
  });

  test("takes its neighbours along when it dies, and says how many there were", async () => {
    const engine = createSyntheticEngine();
    const neighbour = play(engine, request({ windows: 2, delay_ms: 5000 }, null, "job-2"));
    const crashing = play(engine, request({ windows: 2, crash_at: 1, delay_ms: 20 }));
    const expected = { code: "worker_crashed", childDeath: true, jobsHeld: 2 };
    await Promise.all([
      expect(crashing).rejects.toMatchObject(expected),
      expect(neighbour).rejects.toMatchObject(expected),
    ]);
    await expect(play(engine, request({ crash_at: 0 }))).rejects.toMatchObject({ childDeath: true, jobsHeld: 1 });
  });

  test("stops at once, with the signal's reason", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const played = play(undefined, request({ windows: 2, delay_ms: 60_000 }), stop.signal);
    setTimeout(() => stop.abort(reason), 20);
    await expect(played).rejects.toBe(reason);
  });

  test("stops when it is closed, and takes nothing afterwards", async () => {
    const engine = createSyntheticEngine();
    const played = play(engine, request({ windows: 2, delay_ms: 60_000 }));
    setTimeout(() => void engine.close(), 20);
    await expect(played).rejects.toThrow("closed");
    await expect(play(engine)).rejects.toThrow("closed");
  });

  test("leaves words out when they are not wanted, and says nothing where the text is empty", async () => {
    const asked = request({ windows: 1, text: "two words" });
    const [segment] = segmentsOf(await play(undefined, asked));
    expect(segment!.words!.map(({ word, start, end }) => [word, start, end])).toEqual([
      ["two", 0, 15],
      ["words", 15, 30],
    ]);
    const [bare] = segmentsOf(await play(undefined, { ...asked, options: { word_timestamps: false } }));
    expect(bare!.words).toBeUndefined();
    expect(segmentsOf(await play(undefined, request({ windows: 2, text: "" })))).toEqual([]);
  });
});

describe("its script", () => {
  test("may be JSON in a string, as flat metadata has it", () => {
    expect(readScript({ synthetic: '{"windows": 4, "audio": false}' })).toMatchObject({ windows: 4, audio: false });
    expect(secondsWithoutAudio({ synthetic: { windows: 4, window_seconds: 10, audio: false } })).toBe(40);
    expect(secondsWithoutAudio({})).toBeNull();
  });

  test.each([[{ windows: -1 }], [{ unknown: 1 }], ["no json"], [{ error_code: "made_up" }]])(
    "refuses %j with a final error that names the field",
    (synthetic) => {
      expect(() => readScript({ synthetic })).toThrow(
        expect.objectContaining({
          code: "internal",
          retryable: false,
          message: expect.stringMatching(/^metadata\.synthetic/),
        }),
      );
    },
  );
});
