import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { WorkerParts } from "../src/attempt.ts";
import { openStubEngine } from "../src/engines/stub-engine.ts";
import { openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
let parts: WorkerParts;
beforeAll(async () => {
  box = await openWorkerBox();
  const stub = openStubEngine({ db: box.db, storage: box.storage });
  parts = { ...box.parts, engines: new Map([["stub", stub]]) };
});
afterAll(() => box.close());

const STUB = { engine: "stub", model: "stub", metadata: {} };

test("an uploaded text is its own transcript, a segment a line", async () => {
  const { id } = await box.upload(Buffer.from("\ufeffבוקר טוב.\r\n\r\n  Good morning. \n"), {}, STUB);
  expect(await box.work(id, parts)).toBe("completed");
  const transcript = await box.jobs.transcript(id);
  expect(transcript!.segments.map(({ start, text }) => [start, text])).toEqual([
    [0, "בוקר טוב."],
    [1, "Good morning."],
  ]);
});

test("one without a word is an empty transcript", async () => {
  const { id } = await box.upload(Buffer.from("\n\n"), {}, STUB);
  expect(await box.work(id, parts)).toBe("completed");
  expect(await box.jobs.transcript(id)).toMatchObject({ text: "", segments: [] });
});

test("what is no longer stored, or is a book, fails the job", async () => {
  const gone = await box.create({}, STUB);
  const book = await box.upload(Buffer.alloc(1024 * 1024 + 1, "a"), {}, STUB);
  for (const [{ id }, code] of [
    [gone, "audio_expired"],
    [book, "audio_too_large"],
  ] as const) {
    expect(await box.work(id, parts)).toBe("failed");
    expect((await box.row(id)).error).toMatchObject({ code });
  }
});
