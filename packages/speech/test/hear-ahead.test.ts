import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { hearAhead } from "../src/whisper/hear-ahead.ts";

/** Things that are heard when the test says so. */
function listener() {
  const heard = new Map<number, PromiseWithResolvers<string>>();
  return {
    hear(thing: number): Promise<string> {
      const hearing = Promise.withResolvers<string>();
      heard.set(thing, hearing);
      return hearing.promise;
    },
    begun: () => [...heard.keys()],
    async end(thing: number, error?: Error) {
      if (error) heard.get(thing)!.reject(error);
      else heard.get(thing)!.resolve(`heard ${thing}`);
      await nextTurn();
    },
  };
}
const things = Array.from({ length: 10 }, (_, i) => i);

test("where one has ended the next begins, though the first is still heard; what is read keeps its order", async () => {
  const ears = listener();
  const ahead = hearAhead(things, () => 2, ears.hear);
  const first = ahead.read(0);
  expect(ears.begun()).toEqual([0, 1]);
  await ears.end(1);
  expect(ears.begun()).toEqual([0, 1, 2]);
  await ears.end(2);
  expect(ears.begun()).toEqual([0, 1, 2, 3]);
  // Nothing goes farther ahead of who reads than twice as many as are heard at once.
  await ears.end(3);
  expect(ears.begun()).toEqual([0, 1, 2, 3]);
  await ears.end(0);
  expect([await first, await ahead.read(1), await ahead.read(2)]).toEqual(["heard 0", "heard 1", "heard 2"]);
  expect(ears.begun()).toEqual([0, 1, 2, 3, 4, 5]);
});

test("a failure is thrown when it is read", async () => {
  const ears = listener();
  const ahead = hearAhead(things, () => 2, ears.hear);
  const first = ahead.read(0);
  await ears.end(1, new Error("not understood"));
  await ears.end(0);
  expect(await first).toBe("heard 0");
  await expect(ahead.read(1)).rejects.toThrow("not understood");
});

test("where there is less room than before, fewer are heard", async () => {
  const ears = listener();
  let room = 3;
  const ahead = hearAhead(things, () => room, ears.hear);
  void ahead.read(0);
  room = 1;
  await ears.end(0);
  await ears.end(1);
  expect(ears.begun()).toEqual([0, 1, 2]);
});

test("the end begins nothing more, and waits for what is being heard", async () => {
  const ears = listener();
  const ahead = hearAhead(things, () => 2, ears.hear);
  const first = ahead.read(0);
  let ended = false;
  const end = ahead.end().then(() => (ended = true));
  await ears.end(0);
  expect([await first, ended, ears.begun()]).toEqual(["heard 0", false, [0, 1]]);
  await ears.end(1);
  await end;
});
