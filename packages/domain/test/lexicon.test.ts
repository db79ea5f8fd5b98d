import { describe, expect, test } from "@jest/globals";
import { compileLexicon, lexiconContent } from "../src/index.ts";

function apply(rules: { find: string; replace: string }[], text: string): string {
  return compileLexicon(lexiconContent.parse({ rules }))({ start: 0, end: 1, text }).text;
}

describe("a rule", () => {
  const rabbit = [{ find: "scribe rabit", replace: "scribe rabbit" }];
  test.each([
    ["a phrase", rabbit, "the scribe rabit runs", "the scribe rabbit runs"],
    ["in capitals", rabbit, "SCRIBE RABIT", "SCRIBE RABBIT"],
    ["at the start of a sentence", rabbit, "Scribe rabit runs", "Scribe rabbit runs"],
    ["with signs around it", rabbit, '"Scribe rabit," he said', '"Scribe rabbit," he said'],
    ["not over a sign", rabbit, "a scribe. Rabit stew", "a scribe. Rabit stew"],
    ["not in a part of a word", rabbit, "the scribe rabits", "the scribe rabits"],
    ["its own capitals are meant", [{ find: "iphone", replace: "iPhone" }], "IPHONE and iphone", "iPhone and iPhone"],
    ["a wildcard", [{ find: "kubernet*", replace: "Kubernetes" }], "Kubernettis, kubernets", "Kubernetes, Kubernetes"],
    ["a wildcard in front", [{ find: "*berneties", replace: "Kubernetes" }], "kuberneties", "Kubernetes"],
    [
      "the longest that fits",
      [
        { find: "new", replace: "old" },
        { find: "new york", replace: "New York City" },
      ],
      "new york is new",
      "New York City is old",
    ],
    ["not again on what was written", [{ find: "a", replace: "a a" }], "a b", "a a b"],
    ["other scripts", [{ find: "пpивет мир", replace: "привет, мир" }], "пpивет мир!", "привет, мир!"],
    [
      "signs of a regular expression mean themselves",
      [{ find: "c++", replace: "C plus plus" }],
      "c++ or cxx",
      "c++ or cxx",
    ],
    ["a dollar sign is no reference", [{ find: "cash", replace: "$& $1" }], "cash", "$& $1"],
  ])("%s", (_what, rules, said, written) => {
    expect(apply(rules, said)).toBe(written);
  });

  test("changes words with the text: new ones share the time of the old", () => {
    const words = ["the", "skribe", "rabit,", "runs"].map((word, i) => ({
      word: ` ${word}`,
      start: i,
      end: i + 1,
      probability: 0.9 - i / 10,
    }));
    const segment = { start: 0, end: 4, text: " the skribe rabit, runs", words };
    const content = lexiconContent.parse({ rules: [{ find: "skribe rabit", replace: "one two six" }] });
    const changed = compileLexicon(content)(segment);
    expect(changed.text).toBe(" the one two six, runs");
    expect(changed.words.map(({ word }) => word).join("")).toBe(changed.text);
    expect(changed.words.slice(1, 4)).toEqual([
      { word: " one", start: 1, end: 1.6, probability: expect.closeTo(0.7, 6) },
      { word: " two", start: 1.6, end: 2.2, probability: expect.closeTo(0.7, 6) },
      { word: " six,", start: 2.2, end: 3, probability: expect.closeTo(0.7, 6) },
    ]);
  });
});

describe("a lexicon that would be slow", () => {
  test("as a regular expression is harmless: its signs are words like others", () => {
    const rules = [
      { find: "(a+)+$", replace: "b" },
      { find: "a*a*a", replace: "c" },
    ];
    const long = `${"a".repeat(100_000)}!`;
    const start = performance.now();
    expect(apply(rules, long)).toBe("c!");
    expect(apply(rules, `${"a".repeat(100_000)}x`)).toBe(`${"a".repeat(100_000)}x`);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test("by its size is applied to an hour of words in a second", () => {
    const rules = Array.from({ length: 5000 }, (_, i) => ({ find: `word${i} next`, replace: `term${i}` }));
    for (let i = 0; i < 200; i++) rules[i] = { find: `*x${i}*`, replace: "y" };
    const replace = compileLexicon(lexiconContent.parse({ rules }));
    const text = Array.from({ length: 9000 }, (_, i) => `word${i % 5000}`).join(" ");
    const start = performance.now();
    replace({ start: 0, end: 1, text });
    expect(performance.now() - start).toBeLessThan(3000);
  });
});

describe("what is no lexicon", () => {
  test.each([
    ["a rule that finds every word", { rules: [{ find: "*", replace: "x" }] }],
    ["three wildcards in a word", { rules: [{ find: "*a*b*", replace: "x" }] }],
    ["a rule that writes nothing", { rules: [{ find: "um", replace: " " }] }],
    ["two lines", { rules: [{ find: "a", replace: "b\nc" }] }],
    ["thirteen words", { rules: [{ find: "a ".repeat(13), replace: "b" }] }],
    ["too many open rules", { rules: Array.from({ length: 201 }, (_, i) => ({ find: `*a${i}`, replace: "b" })) }],
    ["an unknown field", { rules: [], regex: true }],
    ["NUL", { hotwords: ["a\u0000"] }],
    ["257 hotwords", { hotwords: Array.from({ length: 257 }, (_, i) => `w${i}`) }],
  ])("%s is refused", (_what, content) => {
    expect(lexiconContent.safeParse(content).success).toBe(false);
  });
});
