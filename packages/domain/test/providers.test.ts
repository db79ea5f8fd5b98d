import { describe, expect, test } from "@jest/globals";
import { notCarriedOut, providerFailure, sanitizeProviderMessage, spellWords } from "../src/index.ts";

describe("words that a provider times, spelled as its text has them", () => {
  const timed = (...texts: string[]) => texts.map((text, i) => ({ text, start: i, end: i + 0.5, probability: null }));
  const spelled = (texts: string[], ...words: string[]) =>
    spellWords(texts, timed(...words)).map(({ words: own }) => own.map(({ word }) => word));

  test.each([
    [
      [" Hello, world. It's", " five o'clock!"],
      ["Hello", "world", "It's", "five", "o'clock"],
      [
        [" Hello,", " world.", " It's"],
        [" five", " o'clock!"],
      ],
    ],
    [[' He said "no" (twice).'], ["he", "said", "no", "twice"], [[" He", " said", ' "no"', " (twice)."]]],
    [["今日はいい天気"], ["今日", "は", "いい", "天気"], [["今日", "は", "いい", "天気"]]],
    // A word that no text has is left out; a text of which no word was timed has none.
    [
      [" One two.", " Three."],
      ["one", "uh", "two"],
      [[" One", " two."], []],
    ],
    [[" the the the"], ["the", "the", "the"], [[" the", " the", " the"]]],
    [
      [" a b", " b c"],
      ["a", "b", "b", "c"],
      [
        [" a", " b"],
        [" b", " c"],
      ],
    ],
    [[], ["lost"], []],
    [[" text"], [], [[]]],
  ])("%j with %j", (texts, words, expected) => {
    expect(spelled(texts as string[], ...(words as string[]))).toEqual(expected);
  });

  test("joined, they are the text, whatever is between them", () => {
    const text = " —Well… 'tis (sort of) 3.5 % – “fine”; e-mail me @ a.b@c.de, ok?!";
    const words = ["Well", "tis", "sort", "of", "3.5", "fine", "e-mail", "me", "a.b@c.de", "ok"];
    expect(spelled([text], ...words)[0]!.join("")).toBe(text);
  });
});

describe("a provider's failure", () => {
  const fail = (status: number | null, more = {}) =>
    providerFailure({ provider: "X", status, secrets: ["k-123"], ...more });

  test.each([
    [401, "provider_unauthorized", false],
    [403, "provider_unauthorized", false],
    [400, "provider_error", false],
    [404, "provider_error", false],
    [413, "provider_error", false],
    [302, "provider_error", false],
    [408, "provider_error", true],
    [429, "provider_error", true],
    [500, "provider_error", true],
    [529, "provider_error", true],
    [null, "provider_error", true],
  ])("with %j is %s, and another attempt: %j", (status, code, retryable) => {
    expect(fail(status)).toMatchObject({ code, retryable });
  });

  test.each([
    ["5", 5],
    ["0.5", 0.5],
    ["90000", 3600],
    ["0", undefined],
    ["-3", undefined],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
    ["Wed, 21 Oct 2015 07:28:00 GMT", undefined],
  ])("whose Retry-After is %j waits %j s", (retryAfter, seconds) => {
    expect(fail(429, { retryAfter }).retryAfterSeconds).toBe(seconds);
  });

  test("whose Retry-After is a date waits until then", () => {
    const retryAfter = new Date(Date.now() + 60_000).toUTCString();
    expect(fail(503, { retryAfter }).retryAfterSeconds).toBeGreaterThan(57);
  });

  test("is told in one line without keys, controls or broken characters, and not at length", () => {
    const message = sanitizeProviderMessage(`a k-123\nb\u0000 sk-abcdefgh Bearer xyz \ud800 ${"x".repeat(1000)}`, [
      "k-123",
      "",
    ]);
    expect(message).toMatch(/^a \[key\] b \[key\] Bearer \[key\] \ufffd x+$/);
    expect(message).toHaveLength(300);
    expect(sanitizeProviderMessage(`${"x".repeat(299)}😀`, []).isWellFormed()).toBe(true);
  });
});

test("options that a provider's engine would ignore are named", () => {
  expect(notCarriedOut("openai", { language: "de", beam_size: 5, vad: true, channels: "mix" })).toEqual([
    "beam_size",
    "vad",
  ]);
  expect(notCarriedOut("openai", { temperature: 0 })).toEqual([]);
  expect(notCarriedOut("openai", { temperature: [0] })).toEqual(["temperature"]);
  expect(notCarriedOut("assemblyai", { temperature: 0, prompt: "x" })).toEqual(["temperature", "prompt"]);
});
