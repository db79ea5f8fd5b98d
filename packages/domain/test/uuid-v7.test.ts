import { expect, test } from "@jest/globals";
import { isUuid, uuidV7 } from "../src/index.ts";

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("ids of one process rise strictly, within a millisecond and beyond, and hold to the form", () => {
  // More than the 4,096 that one millisecond counts.
  const ids = Array.from({ length: 20_000 }, () => uuidV7());
  for (const id of ids) expect(FORM.test(id)).toBe(true);
  expect(ids).toEqual([...ids].sort());
  expect(new Set(ids).size).toBe(ids.length);
});

test("the first 48 bits are the time", () => {
  const later = Date.now() + 3_600_000;
  const id = uuidV7(later);
  expect(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toBe(later);
});

test("ids still rise when the clock goes back", () => {
  const before = uuidV7(Date.now() + 7_200_000);
  expect(uuidV7(1) > before).toBe(true);
});

test("any UUID is one, and nothing else", () => {
  expect(isUuid(uuidV7())).toBe(true);
  expect(isUuid("00000000-0000-0000-0000-000000000000")).toBe(true);
  expect(isUuid(uuidV7().toUpperCase())).toBe(true);
  for (const text of ["", "x", uuidV7().slice(1), `${uuidV7()}\n`, ` ${uuidV7()}`, uuidV7().replaceAll("-", "")]) {
    expect([text, isUuid(text)]).toEqual([text, false]);
  }
});
