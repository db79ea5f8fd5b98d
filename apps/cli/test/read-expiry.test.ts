import { expect, test } from "@jest/globals";
import { readExpiry } from "../src/commands/read-expiry.ts";

const now = new Date("2026-05-01T12:00:00Z");

test("spans and dates", () => {
  expect(readExpiry("12h", now).toISOString()).toBe("2026-05-02T00:00:00.000Z");
  expect(readExpiry("90d", now).toISOString()).toBe("2026-07-30T12:00:00.000Z");
  expect(readExpiry("2027-01-31", now).toISOString()).toBe("2027-01-31T00:00:00.000Z");
});

test("what is no time, or past, is told", () => {
  expect(() => readExpiry("soon", now)).toThrow('"soon" is no time');
  expect(() => readExpiry("2027-13-45", now)).toThrow("is no time");
  expect(() => readExpiry("2020-01-01", now)).toThrow("is past");
});
