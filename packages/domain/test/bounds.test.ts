import { expect, test } from "@jest/globals";
import { enhanceBody, lexiconContent } from "../src/index.ts";

/** Bounds of what is part of the contract, and so no setting: the most that is taken, and one more. */

const many = <T>(count: number, make: (at: number) => T) => Array.from({ length: count }, (_, at) => make(at));
const rule = (find: string, replace = "b") => ({ find, replace });
const words = (count: number) => many(count, () => "a").join(" ");

test.each<[string, (at: number) => object, number]>([
  ["rules", (n) => ({ rules: many(n, (at) => rule(`a${at}`)) }), 5000],
  ["rules whose first word has a wildcard", (n) => ({ rules: many(n, (at) => rule(`*a${at}`)) }), 200],
  ["words that a rule finds", (n) => ({ rules: [rule(words(n))] }), 12],
  ["wildcards in a word", (n) => ({ rules: [rule(`a${"*".repeat(n)}b`)] }), 2],
  ["characters that a rule finds", (n) => ({ rules: [rule("x".repeat(n))] }), 200],
  ["characters that a rule writes", (n) => ({ rules: [rule("a", "x".repeat(n))] }), 200],
  ["hotwords", (n) => ({ hotwords: many(n, (at) => `w${at}`) }), 256],
  ["characters of a hotword", (n) => ({ hotwords: ["x".repeat(n)] }), 128],
])("a lexicon has as many %s as are allowed, and not one more", (_what, content, most) => {
  expect(lexiconContent.safeParse(content(most)).success).toBe(true);
  expect(lexiconContent.safeParse(content(most + 1)).success).toBe(false);
});

const custom = (schema: object) => ({ text: "x", tasks: ["custom"], prompt: "x", schema });
/** A schema of exactly so many bytes of JSON, or so many levels. */
const schemaOfBytes = (bytes: number) => {
  const make = (length: number) => ({ type: "object", description: "x".repeat(length) });
  return make(bytes - JSON.stringify(make(0)).length);
};
const schemaOfLevels = (levels: number) => {
  let inner: object = { type: "string" };
  for (let depth = 3; depth < levels; depth++) inner = { type: "array", items: inner };
  return { type: "object", properties: { a: inner } };
};

test.each<[string, (at: number) => object, number]>([
  ["characters of text", (n) => ({ text: "x".repeat(n), tasks: ["title"] }), 1_000_000],
  ["characters of a prompt", (n) => ({ text: "x", tasks: ["custom"], prompt: "x".repeat(n) }), 8192],
  ["bytes of a schema", (n) => custom(schemaOfBytes(n)), 8192],
  ["levels of a schema", (n) => custom(schemaOfLevels(n)), 12],
])("an enhancement has as many %s as are allowed, and not one more", (_what, body, most) => {
  expect(enhanceBody.safeParse(body(most)).error?.issues).toBeUndefined();
  expect(enhanceBody.safeParse(body(most + 1)).success).toBe(false);
});
