import { describe, expect, test } from "@jest/globals";
import { EXAMPLE_KEY, generateKey, hashSecret, hasScope, parseKey, SCOPES, secretMatches } from "../src/index.ts";

describe("an API key", () => {
  test("that was made is one that parses, and each is new", () => {
    const keys = Array.from({ length: 100 }, generateKey);
    for (const { key, publicId, secret } of keys) expect(parseKey(key)).toEqual({ publicId, secret });
    expect(new Set(keys.map(({ key }) => key)).size).toBe(100);
    expect(parseKey(EXAMPLE_KEY)).not.toBeNull();
  });

  test("has eight characters of name and 32 to 128 of secret", () => {
    const id = "a".repeat(8);
    expect(parseKey(`sr_${id}_${"b".repeat(32)}`)).toEqual({ publicId: id, secret: "b".repeat(32) });
    expect(parseKey(`sr_${id}_${"b".repeat(128)}`)).not.toBeNull();
    for (const text of [
      "",
      "sr_",
      `sr_${id}_${"b".repeat(31)}`,
      `sr_${id}_${"b".repeat(129)}`,
      `sr_${id}a_${"b".repeat(32)}`,
      `sk_${id}_${"b".repeat(32)}`,
      `sr_${id}_${"b".repeat(32)}\n`,
      ` sr_${id}_${"b".repeat(32)}`,
      `sr_${id}_${"b".repeat(31)}é`,
    ]) {
      expect([text, parseKey(text)]).toEqual([text, null]);
    }
  });

  test("is known again by its hash alone", () => {
    const { secret } = generateKey();
    const stored = hashSecret(secret);
    expect(stored.toString("utf8")).not.toContain(secret);
    expect(secretMatches(secret, stored)).toBe(true);
    expect(secretMatches(`${secret}x`, stored)).toBe(false);
    expect(secretMatches(generateKey().secret, stored)).toBe(false);
  });
});

test("`transcribe` implies `read`, and nothing else implies anything", () => {
  for (const held of SCOPES) {
    for (const wanted of SCOPES) {
      const implied = held === wanted || (held === "transcribe" && wanted === "read");
      expect([held, wanted, hasScope([held], wanted)]).toEqual([held, wanted, implied]);
    }
  }
  expect(hasScope([], "read")).toBe(false);
  expect(hasScope(["manage", "read"], "read")).toBe(true);
});
