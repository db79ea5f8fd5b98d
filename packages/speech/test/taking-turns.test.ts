import { describe, expect, test } from "@jest/globals";
import { type Announce, announceRuns, RunTimes, spaceOut } from "../src/runtime/announce-runs.ts";
import { EventInbox } from "../src/runtime/event-inbox.ts";
import { TakeTurns } from "../src/runtime/take-turns.ts";
import type { WhisperModel } from "../src/sessions/whisper-model.ts";

describe("works that take turns", () => {
  /** A work of some steps that writes down what it does. */
  function work(key: string, steps: number, said: string[], failAt = Number.POSITIVE_INFINITY) {
    async function* run() {
      try {
        for (let step = 1; step <= steps; step++) {
          if (step === failAt) throw new Error(`${key} fails`);
          said.push(`${key}${step}`);
          yield;
        }
      } finally {
        said.push(`${key} cleaned up`);
      }
    }
    const ended = (error?: unknown) => said.push(error ? `${key} ended: ${(error as Error).message}` : `${key} ended`);
    return { key, steps: run(), ended };
  }

  test("go on step by step, whatever becomes of the others", async () => {
    const said: string[] = [];
    await new Promise<void>((resting) => {
      const turns = new TakeTurns(resting);
      turns.add(work("a", 3, said));
      turns.add(work("b", 9, said, 2));
      turns.add(work("c", 1, said));
    });
    expect(said).toEqual([
      "a1",
      "b1",
      "c1",
      "a2",
      "b cleaned up",
      "b ended: b fails",
      "c cleaned up",
      "c ended",
      "a3",
      "a cleaned up",
      "a ended",
    ]);
  });

  test("are dropped while they wait, not while they run", async () => {
    const said: string[] = [];
    let turns: TakeTurns | undefined;
    await new Promise<void>((resting) => {
      turns = new TakeTurns(resting);
      turns.add(work("a", 2, said));
      turns.add(work("b", 2, said));
      expect(turns.drop("a", new Error("no"))).toBe(false);
      expect(turns.drop("b", new Error("cancelled"))).toBe(true);
      expect(turns.drop("b", new Error("cancelled"))).toBe(false);
    });
    expect(said.filter((line) => line.startsWith("b"))).toEqual(["b ended: cancelled"]);
    expect(said).toContain("a ended");
  });
});

describe("deadlines of runs", () => {
  test("are ten times what is expected, and never below the floor", () => {
    const times = new RunTimes(1000, 50_000_000);
    expect(times.deadlineMs("encode")).toBe(10_000);
    times.observe("encode", 2000);
    expect(times.deadlineMs("encode")).toBe(20_000);
    times.observe("encode", 1);
    expect(times.deadlineMs("encode")).toBe(18_000);
    times.observe("decode", 1);
    expect(times.deadlineMs("decode")).toBe(1000);
  });

  test("are announced before each run, seldom while the operation stays the same", async () => {
    const announced: [string, number][] = [];
    let now = 0;
    const announce: Announce = spaceOut(
      (...said) => announced.push(said),
      () => now,
    );
    const times = new RunTimes(1000, 0);
    const ran: string[] = [];
    const note = (name: string) => async () => {
      ran.push(`${name} after ${announced.length}`);
      return undefined as never;
    };
    const model: WhisperModel = {
      maxBatch: 1,
      canAlign: true,
      encode: note("encode"),
      prefill: note("prefill"),
      step: note("step"),
      align: note("align"),
      close: note("close"),
    };
    const watched = announceRuns(model, times, announce);
    const state = { rows: 1, release() {} };
    await watched.encode(new Float32Array(0), 1);
    await watched.step(state, [1]);
    await watched.step(state, [1]);
    now = 1500;
    await watched.step(state, [1]);
    expect(ran).toEqual(["encode after 1", "step after 2", "step after 2", "step after 3"]);
    // Each covers what may begin before the next announcement.
    expect(announced).toEqual([
      ["encode", 2000],
      ["decode", 2000],
      ["decode", 2000],
    ]);
  });
});

describe("the inbox", () => {
  test("gives events in order, then its end", async () => {
    const inbox = new EventInbox<number>();
    inbox.push(1);
    const read: number[] = [];
    const reading = (async () => {
      for await (const event of inbox) read.push(event);
    })();
    await Promise.resolve();
    inbox.push(2);
    inbox.push(3, (older) => older === 2);
    inbox.close();
    inbox.fail(new Error("too late"));
    inbox.push(4);
    await reading;
    expect(read.at(-1)).toBe(3);
    expect(read).not.toContain(4);
    expect(inbox.ended).toBe(true);
  });

  test("fails after what was there", async () => {
    const inbox = new EventInbox<string>();
    inbox.push("kept");
    inbox.fail(new Error("dead"));
    const iterator = inbox[Symbol.asyncIterator]();
    expect(await iterator.next()).toEqual({ value: "kept", done: false });
    await expect(iterator.next()).rejects.toThrow("dead");
  });
});
