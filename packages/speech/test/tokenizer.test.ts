import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { BytePairEncoder } from "../src/tokenizer/byte-pair-encoder.ts";
import { readTokenizer } from "../src/tokenizer/read-tokenizer.ts";

const MODEL = join(import.meta.dirname, "../../../models/whisper-nano.en");

/** Reads the bundled model's files, some of them hidden or replaced. */
const files =
  (replaced: Record<string, string | undefined> = {}) =>
  async (name: string) =>
    name in replaced ? replaced[name] : readFile(join(MODEL, name), "utf8").catch(() => undefined);

const TEXTS = [
  "",
  " ",
  "Hello, world! It's 3:45 o'clock; we'll see.",
  "  two  spaces\n\tand lines \n",
  "Grüße, naïve façade — ‘quoted’",
  "日本語のテキストと漢字",
  "👩‍👩‍👧‍👦 🐇🇫🇷 e\u0301",
  "مرحبا بالعالم ١٢٣",
  "\u0000\u0001\uFEFF�",
  "<|endoftext|> is text like any other",
];

describe("the tokenizer", () => {
  test.each(TEXTS)("gives back the text %j", async (text) => {
    const tokenizer = await readTokenizer(files());
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test("reads vocab.json with merges.txt as it does tokenizer.json", async () => {
    const whole = await readTokenizer(files());
    const loose = await readTokenizer(files({ "tokenizer.json": undefined }));
    for (const text of TEXTS) expect(loose.encode(text)).toEqual(whole.encode(text));
    expect(loose.added).toEqual(whole.added);
    expect(loose.size).toBe(whole.size);
  });

  test("encodes words that its merges know as one token", async () => {
    const tokenizer = await readTokenizer(files());
    expect(tokenizer.encode(" the")).toHaveLength(1);
    expect(tokenizer.encode("<|endoftext|>").length).toBeGreaterThan(1);
  });

  test("leaves special tokens and timestamps out of text", async () => {
    const tokenizer = await readTokenizer(files());
    const [start, timestamp] = [tokenizer.added.get("<|startoftranscript|>"), tokenizer.added.get("<|1.00|>")];
    expect(tokenizer.decode([start ?? 0, ...tokenizer.encode(" yes"), timestamp ?? 0])).toBe(" yes");
  });

  test("joins the tokens of a character that is spread over several", async () => {
    const tokenizer = await readTokenizer(files());
    const ids = tokenizer.encode("a🐇b");
    expect(tokenizer.decodeByCharacters(ids)).toEqual([
      { text: "a", ids: ids.slice(0, 1) },
      { text: "🐇", ids: ids.slice(1, -1) },
      { text: "b", ids: ids.slice(-1) },
    ]);
    expect(ids.length).toBeGreaterThan(3);
  });

  test("shows bytes that form no character, and loses no token", async () => {
    const tokenizer = await readTokenizer(files());
    const ids = [
      ...tokenizer.encode("🐇").slice(0, 2),
      ...tokenizer.encode(" x"),
      ...tokenizer.encode("é").slice(0, 1),
    ];
    const groups = tokenizer.decodeByCharacters(ids);
    expect(groups.flatMap((group) => group.ids)).toEqual(ids);
    expect(groups.map((group) => group.text).join("")).toBe(tokenizer.decode(ids));
    expect(tokenizer.decode(ids)).toContain("\uFFFD");
  });

  test.each([
    ["no tokenizer at all", { "tokenizer.json": undefined, "vocab.json": undefined }, "model_unavailable"],
    ["no merges", { "tokenizer.json": undefined, "merges.txt": undefined }, "model_unavailable"],
    ["a torn tokenizer.json", { "tokenizer.json": '{"model": {"vo' }, "invalid_model"],
    [
      "another kind of tokenizer",
      { "tokenizer.json": '{"model": {"type": "Unigram", "vocab": [], "merges": []}}' },
      "invalid_model",
    ],
    [
      "a vocabulary without bytes",
      { "tokenizer.json": '{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}' },
      "invalid_model",
    ],
    ["a merge of three", { "tokenizer.json": undefined, "merges.txt": "#version: 0.2\na b c\n" }, "invalid_model"],
    ["damaged added tokens", { "tokenizer.json": undefined, "added_tokens.json": '{"<|x|>": -1}' }, "invalid_model"],
  ])("refuses a model with %s", async (_, replaced, code) => {
    await expect(readTokenizer(files(replaced))).rejects.toMatchObject({ code });
  });
});

test("the pair that was learned first merges first", () => {
  const vocabulary = new Map(Array.from({ length: 256 }, (_, byte) => [alphabet(byte), byte]));
  const merges: [string, string][] = [
    ["b", "c"],
    ["a", "b"],
    ["a", "bc"],
  ];
  for (const [left, right] of merges) vocabulary.set(left + right, vocabulary.size);
  const encoder = new BytePairEncoder(vocabulary, merges);
  expect(encoder.encode("abc")).toEqual([vocabulary.get("abc")]);
  expect(encoder.encode("abab")).toEqual([vocabulary.get("ab"), vocabulary.get("ab")]);
});

function alphabet(byte: number): string {
  const own = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const before = Array.from({ length: byte }, (_, i) => i).filter(
    (i) => !((i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174),
  ).length;
  return String.fromCharCode(own ? byte : 256 + before);
}
