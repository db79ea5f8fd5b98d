import { describe, expect, test } from "@jest/globals";
import { announceRuns, announceTo, RunTimes } from "../src/runtime/announce-runs.ts";
import { EventInbox } from "../src/runtime/event-inbox.ts";
import type { WhisperModel } from "../src/sessions/whisper-model.ts";

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
    const announced: [string, number, string][] = [];
    let now = 0;
    const announce = announceTo(
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
      newBatch: () => {
        throw new Error("no batch");
      },
      step: note("step"),
      align: note("align"),
      close: note("close"),
    };
    const watched = announceRuns(model, times, announce, () => "a");
    const state = { rows: 1, release() {} };
    await watched.encode(new Float32Array(0), 1);
    await watched.step(state, [1]);
    await watched.step(state, [1]);
    now = 1500;
    await watched.step(state, [1]);
    expect(ran).toEqual(["encode after 1", "step after 2", "step after 2", "step after 3"]);
    // Each covers what may begin before the next announcement.
    expect(announced).toEqual([
      ["encode", 2000, "a"],
      ["decode", 2000, "a"],
      ["decode", 2000, "a"],
    ]);
  });

  test("are as late as that of the run under way that may take longest", async () => {
    const deadlines: [string, number][] = [];
    let now = 0;
    const announce = announceTo(
      (operation, deadlineMs) => deadlines.push([operation, deadlineMs]),
      () => now,
    );
    const loaded = announce("load", 60_000, "a");
    now = 5000;
    const found = announce("find speech", 1000, "b");
    found();
    now = 10_000;
    loaded();
    announce("find speech", 1000, "b");
    expect(deadlines).toEqual([
      ["load", 61_000],
      ["find speech", 56_000],
      ["find speech", 2000],
    ]);
  });

  test("end with a run that fails", async () => {
    const deadlines: number[] = [];
    const announce = announceTo((_, deadlineMs) => deadlines.push(deadlineMs));
    const encode = async () => {
      throw new Error("broken");
    };
    const watched = announceRuns({ encode } as unknown as WhisperModel, new RunTimes(50_000, 0), announce, () => "a");
    await expect(watched.encode(new Float32Array(0), 1)).rejects.toThrow("broken");
    announce("decode", 1000, "a");
    expect(deadlines.map((deadline) => Math.round(deadline))).toEqual([51_000, 2000]);
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
