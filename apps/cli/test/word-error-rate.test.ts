import { expect, test } from "@jest/globals";
import { toWords, wordErrors } from "../src/demo/word-error-rate.ts";

test("case, punctuation and typographic apostrophes are no errors", () => {
  expect(toWords("Don’t stop -- at 7 o'clock, Zoë!")).toEqual(["don't", "stop", "at", "7", "o'clock", "zoë"]);
  expect(wordErrors("Hello, World.", "hello world").rate).toBe(0);
});

test("errors are counted by kind", () => {
  expect(wordErrors("a b c d", "a x c d")).toMatchObject({ substitutions: 1, insertions: 0, deletions: 0, rate: 0.25 });
  expect(wordErrors("a b c d", "a c d")).toMatchObject({ substitutions: 0, insertions: 0, deletions: 1, words: 4 });
  expect(wordErrors("a b", "a z b")).toMatchObject({ substitutions: 0, insertions: 1, deletions: 0, rate: 0.5 });
  expect(wordErrors("the cat sat", "a cat sat down")).toMatchObject({ substitutions: 1, insertions: 1, deletions: 0 });
});

test("nothing said and nothing heard is right, nothing said and something heard is wrong", () => {
  expect(wordErrors("", "").rate).toBe(0);
  expect(wordErrors("", "boo").rate).toBe(1);
  expect(wordErrors("one two", "").rate).toBe(1);
});

test("a text that invents more than was said has a rate above one", () => {
  expect(wordErrors("hi", "so so so").rate).toBe(3);
});
