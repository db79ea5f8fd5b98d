import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { joinSegmentTexts, renderSrt, renderText, renderTsv, renderVtt, type Segment } from "../src/index.ts";

const segment = (text: string, over: Partial<Segment> = {}): Segment => ({
  id: 0,
  start: 0,
  end: 1.5,
  text,
  avg_logprob: -0.2,
  no_speech_prob: 0,
  compression_ratio: 1,
  temperature: 0,
  ...over,
});

describe("SubRip", () => {
  test("numbers its cues, and writes times with a comma", () => {
    expect(renderSrt([segment(" Hello. "), segment("World.", { start: 61.0004, end: 3661.9996 })])).toBe(
      "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n00:01:01,000 --> 01:01:02,000\nWorld.\n",
    );
  });

  test("counts hours past ninety-nine", () => {
    expect(renderSrt([segment("x", { start: 360_000, end: 360_000.001 })])).toContain(
      "100:00:00,000 --> 100:00:00,001",
    );
  });

  test("a segment that contains an arrow or an empty line cannot end its cue", () => {
    const text = "a --> b\n\n2\n00:00:05,000 --> 00:00:06,000\nforged";
    const lines = renderSrt([segment(text)]).split("\n");
    expect(lines.filter((line) => line.includes("-->"))).toHaveLength(1);
    expect(lines).toEqual(["1", expect.any(String), expect.stringContaining("a -> b"), ""]);
  });

  test("is empty without text", () => {
    expect(renderSrt([])).toBe("");
    expect(renderSrt([segment("  ")])).toBe("");
  });
});

describe("WebVTT", () => {
  test("opens with its name, and escapes what would be markup", () => {
    expect(renderVtt([segment("<b>a & b</b> --> c")])).toBe(
      "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n&lt;b&gt;a &amp; b&lt;/b&gt; --&gt; c\n",
    );
    expect(renderVtt([])).toBe("WEBVTT\n");
  });

  test("names who speaks in a voice tag, unless asked not to", () => {
    const spoken = segment("Hi.", { speaker: "A <1>" });
    expect(renderVtt([spoken])).toContain("\n<v A &lt;1&gt;>Hi.\n");
    expect(renderVtt([spoken], { speakers: false })).toContain("\nHi.\n");
  });

  test("a segment with empty lines stays one cue", () => {
    expect(renderVtt([segment("a\r\n\r\nb\u2028\nc")])).toContain("\na b c\n");
  });
});

describe("tab-separated", () => {
  test("has milliseconds, and text without tabs and line breaks", () => {
    expect(renderTsv([segment("a\tb\r\nc", { start: 0.0005, end: 3600 })])).toBe(
      "start\tend\ttext\n1\t3600000\ta b c\n",
    );
  });

  test("has a column of speakers where any speaks", () => {
    const segments = [segment("Hi.", { speaker: "A" }), segment("…")];
    expect(renderTsv(segments)).toBe("start\tend\tspeaker\ttext\n0\t1500\tA\tHi.\n0\t1500\t\t…\n");
    expect(renderTsv(segments, { speakers: false })).toBe("start\tend\ttext\n0\t1500\tHi.\n0\t1500\t…\n");
  });
});

describe("plain text", () => {
  test("has a segment a line, and names a speaker where it changes", () => {
    const said = (text: string, speaker?: string) => segment(text, speaker === undefined ? {} : { speaker });
    const segments = [said("One.", "A"), said("Two.", "A"), said(" ", "B"), said("Three.\nFour.", "B"), said("Five.")];
    expect(renderText(segments)).toBe("A: One.\nTwo.\nB: Three. Four.\nFive.\n");
    expect(renderText(segments, { speakers: false })).toBe("One.\nTwo.\nThree. Four.\nFive.\n");
    expect(joinSegmentTexts([said(" a "), said(""), said("b")])).toBe("a b");
  });
});

describe("cues of bounded lines", () => {
  const words = ["Down", "the", "rabbit", "hole", "went", "Alice"];
  const spoken = segment(words.join(" "), {
    end: 6,
    words: words.map((word, i) => ({ word: ` ${word}`, start: i + 0.1, end: i + 0.9, probability: 1 })),
  });

  test("break at spaces, take as many lines as asked for, and their times from the words", () => {
    const cues = renderSrt([spoken], { maxCharsPerLine: 8, maxLines: 1 }).trimEnd().split("\n\n");
    expect(cues.map((cue) => cue.split("\n").slice(1))).toEqual([
      ["00:00:00,100 --> 00:00:01,900", "Down the"],
      ["00:00:02,100 --> 00:00:02,900", "rabbit"],
      ["00:00:03,100 --> 00:00:03,900", "hole"],
      ["00:00:04,100 --> 00:00:04,900", "went"],
      ["00:00:05,100 --> 00:00:05,900", "Alice"],
    ]);
  });

  test("take two lines where only the line is bounded", () => {
    expect(renderSrt([spoken], { maxCharsPerLine: 10 })).toBe(
      [
        "1\n00:00:00,100 --> 00:00:02,900\nDown the\nrabbit\n",
        "2\n00:00:03,100 --> 00:00:05,900\nhole went\nAlice\n",
      ].join("\n"),
    );
  });

  test("take their share of the segment by letters where words and text disagree", () => {
    const disagreeing = { ...segment("aaaa bbbb", { start: 10, end: 20 }), words: spoken.words!.slice(0, 1) };
    expect(renderSrt([disagreeing], { maxCharsPerLine: 4, maxLines: 1 })).toBe(
      "1\n00:00:10,000 --> 00:00:15,000\naaaa\n\n2\n00:00:15,000 --> 00:00:20,000\nbbbb\n",
    );
  });

  test("each name who speaks", () => {
    expect(renderSrt([{ ...spoken, speaker: "B" }], { maxCharsPerLine: 16, maxLines: 1 })).toMatch(
      /B: Down the rabbit\n[\s\S]*B: hole went Alice\n/,
    );
  });

  test("lose no word, keep to the bounds, and never go back in time", () => {
    const text = fc
      .array(fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom("a", "b", "é", "🐇") }), { minLength: 1 })
      .map((pieces) => pieces.join(" "));
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 4 }), (said, chars, lines) => {
        const cues = renderSrt([segment(said, { start: 5, end: 65 })], { maxCharsPerLine: chars, maxLines: lines })
          .trimEnd()
          .split("\n\n")
          .map((cue) => cue.split("\n"));
        const shown = cues.flatMap(([, , ...body]) => body);
        expect(shown.join(" ")).toBe(said);
        for (const line of shown) expect([...line].length <= chars || !line.includes(" ")).toBe(true);
        for (const [, , ...body] of cues) expect(body.length).toBeLessThanOrEqual(lines);
        const times = cues.flatMap(([, time]) => time!.split(" --> "));
        expect(times).toEqual([...times].sort());
      }),
    );
  });
});
