import { expect, test } from "@jest/globals";
import { waitFor } from "@scribe/testing";
import { sweepMemory } from "../src/sweep-memory.ts";

test("what nobody holds any more is collected, though the machine has room", async () => {
  const lost = new WeakRef({ large: new Array(1000).fill(0) });
  const stop = sweepMemory(20);
  try {
    await waitFor(async () => lost.deref() === undefined, { what: "the sweep" });
  } finally {
    stop();
  }
  expect(lost.deref()).toBeUndefined();
});
