import { describe, expect, test } from "@jest/globals";
import {
  createRedactor,
  ENTITY_TYPES,
  type EngineSegment,
  findEntities,
  redactText,
  rewriteSegment,
} from "../src/index.ts";
import { readSentences, scoreRedaction } from "./score-redaction.ts";

const figures = { avg_logprob: -0.1, no_speech_prob: 0, compression_ratio: 1, temperature: 0 };

function segmentsOf(texts: readonly string[]): EngineSegment[] {
  return texts.map((text, i) => ({ ...figures, start: i, end: i + 1, text }));
}

describe("five hundred sentences", () => {
  test("are five hundred, each type in forty or more", () => {
    const sentences = readSentences();
    expect(sentences).toHaveLength(500);
    expect(sentences.filter(({ entities }) => entities.length === 0).length).toBeGreaterThan(100);
    for (const { type, marked } of scoreRedaction(sentences)) expect([type, marked >= 40]).toEqual([type, true]);
  });

  test.each(ENTITY_TYPES)("%s is found in all of them, and nowhere else", (type) => {
    const { precision, recall, wrong } = scoreRedaction().find((score) => score.type === type)!;
    expect({ precision, recall, wrong }).toEqual({ precision: 1, recall: 1, wrong: [] });
  });
});

describe("check digits", () => {
  const passesLuhn = (digits: string) =>
    [...digits].reverse().reduce((sum, digit, i) => {
      const doubled = Number(digit) * (i % 2 === 1 ? 2 : 1);
      return sum + (doubled > 9 ? doubled - 9 : doubled);
    }, 0) %
      10 ===
    0;

  test("no number without a valid one is a card: each of the ten last digits of 2,000 numbers", () => {
    let seed = 7;
    const next = () => (seed = (seed * 48_271) % 2_147_483_647);
    let cards = 0;
    for (let i = 0; i < 2000; i++) {
      const start = ["4", "51", "37", "6011", "2221", "62"][next() % 6]!;
      const length = start === "37" ? 15 : 16;
      let digits = start;
      while (digits.length < length - 1) digits += String(next() % 10);
      for (let last = 0; last < 10; last++) {
        const found = findEntities(`It is ${digits}${last}.`).some(({ type }) => type === "card");
        if (found) expect(passesLuhn(`${digits}${last}`)).toBe(true);
        cards += Number(found);
      }
    }
    expect(cards).toBe(2000);
  });

  test.each([
    ["an IBAN with a wrong digit", "DE89 3704 0044 0532 0130 01"],
    ["an IBAN that is too short", "DE89 3704 0044 0532 0130"],
    ["an IBAN of a country that has none", "US89 3704 0044 0532 0130 00"],
    ["an area that is not assigned", "000-12-3456"],
    ["a serial of zeros", "123-45-0000"],
    ["an octet of 256", "10.0.0.256"],
    ["a day that no month has", "born on 02/30/1985"],
    ["a number of zeros", "0000 0000 0000 0000"],
  ])("%s is nothing", (_what, text) => {
    expect(findEntities(text)).toEqual([]);
  });
});

describe("as speech spells it", () => {
  test.each([
    ["double and triple", "call me on oh seven double seven triple nine one two three four", "call me on [PHONE]"],
    ["hesitation", "four one one one, uh, one one one one, um, one one one one, one one one one", "[CARD]"],
    ["the other side's assent", "4111 1111. Okay. 1111 1111. Thanks", "[CARD]. Thanks"],
    ["a sign in words", "write to anna underscore k at example dot com", "write to [EMAIL]"],
    ["letters one by one", "j o h n at example dot com", "[EMAIL]"],
    ["a country code", "plus forty four seven seven double oh nine oh oh one two three", "[PHONE]"],
    ["hundreds", "call one eight hundred five five five two six seven one", "call [PHONE]"],
    ["capitals", "JOHN DOT SMITH AT EXAMPLE DOT COM", "[EMAIL]"],
    ["letters behind a word's own", "That's r e i d at example dot org", "That's [EMAIL]"],
    [
      "what is said of it afterwards",
      "so sales at my dash firm dot co dot uk, that is the email",
      "so [EMAIL], that is the email",
    ],
    [
      "a day far from a birth",
      "I was born and raised in Texas, moved here March 3rd",
      "I was born and raised in Texas, moved here March 3rd",
    ],
    ["a birthday without its year", "I was born on March 3rd", "I was born on [DATE_OF_BIRTH]"],
    ["the spelling alphabet", spelledIban(), "[IBAN]"],
  ])("%s", (_what, said, redacted) => {
    expect(redactText(said, ENTITY_TYPES)).toBe(redacted);
  });

  function spelledIban(): string {
    return "delta echo eight nine three seven zero four zero zero four four zero five three two zero one three zero zero zero";
  }

  test("of two kinds in one breath each is found, and only what is asked for is taken", () => {
    const text = "Card 4111 1111 1111 1111, mail john@example.com.";
    expect(redactText(text, ["email"])).toBe("Card 4111 1111 1111 1111, mail [EMAIL].");
    // A card is no telephone number where only those are wanted.
    expect(redactText("call me, my card is 4111 1111 1111 1111", ["phone"])).toContain("4111");
  });
});

describe("a stream", () => {
  const sentences = readSentences().map(({ text }) => text);
  const whole = redactText(sentences.join(" "), ENTITY_TYPES);

  test.each([1, 2, 3])("gives the same as the whole, however it is cut (%d)", (seed) => {
    let state = seed;
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const words = sentences.join(" ").split(" ");
    const segments: EngineSegment[] = [];
    for (let at = 0; at < words.length; ) {
      const count = 1 + random(12);
      segments.push(...segmentsOf([words.slice(at, at + count).join(" ")]));
      at += count;
    }
    let redactor = createRedactor(ENTITY_TYPES);
    const out: string[] = [];
    for (let at = 0; at < segments.length; ) {
      const count = 1 + random(3);
      out.push(...redactor.take(segments.slice(at, at + count)).map(({ text }) => text));
      at += count;
      // As another attempt goes on after a checkpoint.
      if (random(5) === 0) redactor = createRedactor(ENTITY_TYPES, JSON.parse(JSON.stringify(redactor.state())));
    }
    out.push(...redactor.finish().map(({ text }) => text));
    expect(out).toHaveLength(segments.length);
    // What goes over several segments stands in each of them.
    const joined = out.join(" ").replace(/(\[[A-Z_]+\])(?: \1)+/g, "$1");
    const expected = whole.replace(/(\[[A-Z_]+\])(?: \1)+/g, "$1");
    expect(joined).toBe(expected);
  });

  test("holds the end back, and never for long", () => {
    const redactor = createRedactor(["card"]);
    expect(redactor.take(segmentsOf(["Good morning, how are you?"]))).toEqual([]);
    const talk =
      "We have spoken about this for a while now and it is all settled between the two of us, and nothing else was said on either side, not even a word.";
    expect(redactor.take(segmentsOf([talk]))).toHaveLength(1);
    let [given, taken] = [0, 0];
    for (let i = 0; i < 100; i++) {
      taken += 1;
      given += redactor.take(segmentsOf(["one two three four five six seven eight nine ten"])).length;
      expect(taken - given).toBeLessThan(20);
    }
  });

  test("takes each channel for itself", () => {
    const redactor = createRedactor(["card"]);
    const half = "4111 1111";
    const [a, b] = [segmentsOf([half]), segmentsOf([half])];
    const out = [
      ...redactor.take([{ ...a[0]!, channel: 0 }]),
      ...redactor.take([{ ...b[0]!, channel: 1 }]),
      ...redactor.finish(),
    ];
    expect(out.map(({ text }) => text)).toEqual([half, half]);
  });
});

describe("words", () => {
  const word = (text: string, start: number) => ({ word: text, start, end: start + 1, probability: 1 - start / 10 });

  test("of what is taken out become one, with their time and the least of their probabilities", () => {
    const segment = { ...segmentsOf([" It is (john dot smith at example dot com), okay."])[0]!, end: 11 };
    const words = [" It", " is", " (john", " dot", " smith", " at", " example", " dot", " com),", " okay."].map(word);
    const [redacted] = [...createRedactorOf(["email"], { ...segment, words })];
    expect(redacted!.words!.map(({ word: text }) => text)).toEqual([" It", " is", " ([EMAIL]),", " okay."]);
    expect(redacted!.words![2]).toMatchObject({ start: 2, end: 9, probability: expect.closeTo(0.2, 6) });
    expect(redacted!.words!.map(({ word: text }) => text).join("")).toBe(redacted!.text);
  });

  function createRedactorOf(types: ["email"], segment: EngineSegment): EngineSegment[] {
    const redactor = createRedactor(types);
    return [...redactor.take([segment]), ...redactor.finish()];
  }

  test("that say something else than the text are made anew, so that nothing of it is left in them", () => {
    const segment = {
      ...segmentsOf(["mail john@example.com now"])[0]!,
      words: ["mail", "john", "at", "example"].map(word),
    };
    const [redacted] = createRedactorOf(["email"], segment);
    expect(redacted!.words!.map(({ word: text }) => text)).toEqual(["mail", "[EMAIL]", "now"]);
  });

  test("are not touched where nothing is taken out", () => {
    const segment = { ...segmentsOf(["all is well"])[0]!, words: ["all", "is", "well"].map(word) };
    expect(createRedactorOf(["email"], segment)).toEqual([segment]);
    expect(rewriteSegment(segment, [])).toBe(segment);
  });
});

test.each([
  ["dots", "john dot "],
  ["digits", "1 "],
  ["zeros that are words", "oh "],
  ["signs", "a@"],
  ["colons", "::"],
  ["dashes", "a-"],
  ["numbers", "one hundred and "],
  ["addresses", "j at e dot com "],
])("a text of nothing but %s costs time that grows with its length", (_what, piece) => {
  const took = (times: number) => {
    const text = piece.repeat(times);
    const start = performance.now();
    findEntities(text);
    return performance.now() - start;
  };
  took(2000);
  // What grew with its square would take 64 times as long; a busy machine may double a time, or more.
  const [short, long] = [Math.min(took(1000), took(1000), took(1000)), Math.min(took(8000), took(8000))];
  expect(long).toBeLessThan(Math.max(40 * short, 200));
});
