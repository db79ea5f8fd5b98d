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

async function* things(count = 10) {
  for (let i = 0; i < count; i++) yield i;
}

test("where one has ended the next begins, though the first is still heard; what is read keeps its order", async () => {
  const ears = listener();
  const ahead = hearAhead(things(), () => 2, ears.hear);
  const first = ahead.read();
  await nextTurn();
  expect(ears.begun()).toEqual([0, 1]);
  await ears.end(1);
  expect(ears.begun()).toEqual([0, 1, 2]);
  await ears.end(2);
  expect(ears.begun()).toEqual([0, 1, 2, 3]);
  // Nothing goes farther ahead of who reads than twice as many as are heard at once.
  await ears.end(3);
  expect(ears.begun()).toEqual([0, 1, 2, 3]);
  await ears.end(0);
  const read = [await first, await ahead.read(), await ahead.read()];
  expect(read.map((one) => one?.result)).toEqual(["heard 0", "heard 1", "heard 2"]);
  await nextTurn();
  expect(ears.begun()).toEqual([0, 1, 2, 3, 4, 5]);
});

test("the last is told as such, and behind it is nothing", async () => {
  const ahead = hearAhead(
    things(3),
    () => 2,
    async (thing) => `heard ${thing}`,
  );
  const read = [await ahead.read(), await ahead.read(), await ahead.read()];
  expect(read.map((one) => [one?.thing, one?.isLast])).toEqual([
    [0, false],
    [1, false],
    [2, true],
  ]);
  expect(await ahead.read()).toBeUndefined();
  expect(
    await hearAhead(
      things(0),
      () => 2,
      async () => "",
    ).read(),
  ).toBeUndefined();
});

test("what is found is heard while the next is still looked for", async () => {
  const ears = listener();
  const second = Promise.withResolvers<void>();
  async function* found() {
    yield 0;
    await second.promise;
    yield 1;
  }
  const ahead = hearAhead(found(), () => 4, ears.hear);
  const first = ahead.read();
  await nextTurn();
  expect(ears.begun()).toEqual([0]);
  await ears.end(0);
  second.resolve();
  expect(await first).toEqual({ thing: 0, result: "heard 0", isLast: false });
  await ears.end(1);
  expect(await ahead.read()).toEqual({ thing: 1, result: "heard 1", isLast: true });
});

test("a failure is thrown when it is read", async () => {
  const ears = listener();
  const ahead = hearAhead(things(), () => 2, ears.hear);
  const first = ahead.read();
  await nextTurn();
  await ears.end(1, new Error("not understood"));
  await ears.end(0);
  expect((await first)?.result).toBe("heard 0");
  await expect(ahead.read()).rejects.toThrow("not understood");
});

test("a failure to find more is thrown behind what was found", async () => {
  async function* broken() {
    yield 0;
    throw new Error("lost");
  }
  const ahead = hearAhead(
    broken(),
    () => 2,
    async () => "heard",
  );
  expect(await ahead.read()).toEqual({ thing: 0, result: "heard", isLast: false });
  await expect(ahead.read()).rejects.toThrow("lost");
});

test("where there is less room than before, fewer are heard", async () => {
  const ears = listener();
  let room = 3;
  const ahead = hearAhead(things(), () => room, ears.hear);
  void ahead.read();
  await nextTurn();
  room = 1;
  await ears.end(0);
  await ears.end(1);
  expect(ears.begun()).toEqual([0, 1, 2]);
});

test("the end begins nothing more, and waits for what is being heard", async () => {
  const ears = listener();
  let closed = false;
  async function* found() {
    try {
      yield* things();
    } finally {
      closed = true;
    }
  }
  const ahead = hearAhead(found(), () => 2, ears.hear);
  const first = ahead.read();
  await nextTurn();
  let ended = false;
  const end = ahead.end().then(() => (ended = true));
  await ears.end(0);
  expect([(await first)?.result, ended, ears.begun()]).toEqual(["heard 0", false, [0, 1]]);
  await ears.end(1);
  await end;
  expect(closed).toBe(true);
});
