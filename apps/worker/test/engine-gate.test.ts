import { describe, expect, test } from "@jest/globals";
import { createEngineGate } from "../src/engine-gate.ts";

const never = new AbortController().signal;

/** Enters, and writes down in which order that happened. */
function visitors() {
  const gate = createEngineGate();
  const inside: string[] = [];
  const enter = async (name: string, alone: boolean, signal = never) => {
    const leave = await gate.enter(alone, signal);
    inside.push(name);
    return leave;
  };
  return { enter, inside };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("the engine's gate", () => {
  test("lets many in together", async () => {
    const { enter, inside } = visitors();
    await Promise.all([enter("a", false), enter("b", false)]);
    expect(inside).toEqual(["a", "b"]);
  });

  test("lets one in alone when all have left, and those after it when it has", async () => {
    const { enter, inside } = visitors();
    const [leaveA, leaveB] = await Promise.all([enter("a", false), enter("b", false)]);
    const alone = enter("alone", true);
    const later = enter("c", false);
    leaveA();
    leaveA();
    await settle();
    expect(inside).toEqual(["a", "b"]);
    leaveB();
    const leaveAlone = await alone;
    await settle();
    expect(inside).toEqual(["a", "b", "alone"]);
    leaveAlone();
    await later;
    expect(inside).toEqual(["a", "b", "alone", "c"]);
  });

  test("forgets who stopped waiting, and lets the next in", async () => {
    const { enter, inside } = visitors();
    const leave = await enter("a", false);
    const stop = new AbortController();
    const alone = enter("alone", true, stop.signal);
    const later = enter("b", false);
    stop.abort(new Error("cancelled"));
    await expect(alone).rejects.toThrow("cancelled");
    await later;
    expect(inside).toEqual(["a", "b"]);
    leave();
    await expect(enter("c", false, stop.signal)).rejects.toThrow("cancelled");
  });
});
