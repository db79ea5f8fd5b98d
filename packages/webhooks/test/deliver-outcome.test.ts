import { expect, test } from "@jest/globals";
import { decideOutcome } from "../src/index.ts";

const schedule = [5, 300, 86_400];
const outcome = (status: number | null, triesBefore = 0, retryAfterSeconds?: number, random = 0) =>
  decideOutcome(
    { status, durationMs: 1, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) },
    triesBefore,
    schedule,
    () => random,
  );

test.each([200, 201, 299])("%i is success", (status) => {
  expect(outcome(status)).toBe("delivered");
});

test.each([null, 100, 301, 400, 404, 500])("%s is tried again by the schedule, until that is used up", (status) => {
  expect([0, 1, 2, 3].map((tries) => outcome(status, tries))).toEqual([
    { retryInSeconds: 5 },
    { retryInSeconds: 300 },
    { retryInSeconds: 86_400 },
    "failed",
  ]);
});

test("410 ends a delivery and more", () => {
  expect(outcome(410)).toBe("gone");
});

test("Retry-After is honoured up to a day, and never shortens the wait", () => {
  expect(outcome(503, 0, 60)).toEqual({ retryInSeconds: 60 });
  expect(outcome(503, 1, 60)).toEqual({ retryInSeconds: 300 });
  expect(outcome(503, 0, 1_000_000)).toEqual({ retryInSeconds: 86_400 });
});

test("what failed together is not tried together", () => {
  expect(outcome(500, 1, undefined, 1)).toEqual({ retryInSeconds: 330 });
});
