import { describe, expect, test } from "@jest/globals";
import { chooseBest, sampleAt } from "../src/whisper/choose-token.ts";
import { compressionRatio } from "../src/whisper/compression-ratio.ts";
import type { DecodedWindow } from "../src/whisper/decode-window.ts";
import { decodeWithFallback, isSilence, needsFallback } from "../src/whisper/decode-with-fallback.ts";
import { languageProbabilities, requestedLanguage, voteLanguage } from "../src/whisper/detect-language.ts";
import { logSumExp } from "../src/whisper/log-softmax.ts";
import { suppress, suppressAtBegin, timestampRules } from "../src/whisper/logits-rules.ts";
import { randomFrom } from "../src/whisper/random.ts";
import { splitSegments } from "../src/whisper/split-segments.ts";

// A tiny vocabulary: text 0–4, end 5, a control token 6, no timestamps 7, timestamps 8–14, padding 15.
const VOCABULARY = { endOfText: 5, noTimestamps: 7, firstTimestamp: 8, timestampCount: 7, maximumInitialIndex: 3 };
const SIZE = 16;
const t = (step: number) => VOCABULARY.firstTimestamp + step;

/** Ids that may follow, with all logits alike but for those given. */
function allowed(sampled: number[], logits: Record<number, number> = {}): number[] {
  const values = new Float32Array(SIZE);
  for (const [id, value] of Object.entries(logits)) values[Number(id)] = value;
  timestampRules(VOCABULARY)(values, sampled);
  return Array.from(values.keys()).filter((id) => values[id] > Number.NEGATIVE_INFINITY);
}
/** Text so probable that timestamps are not forced. */
const TEXT = { 0: 20, 1: 20 };

describe("timestamp rules", () => {
  test("a window begins with a timestamp, not later than the first may be", () => {
    expect(allowed([], TEXT)).toEqual([t(0), t(1), t(2), t(3)]);
  });

  test("after a first timestamp comes text or the end", () => {
    expect(allowed([t(2)], TEXT)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("after a pair comes text or the end", () => {
    expect(allowed([t(0), 1, t(2), t(2)], TEXT)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test("after a segment's end comes the next one's start, not earlier, or the end of text", () => {
    expect(allowed([t(0), 1, t(3)], { 5: 20 })).toEqual([5, 6, t(3), t(4), t(5), t(6)].filter((id) => id !== 7));
  });

  test("within text, timestamps lie behind the last one", () => {
    expect(allowed([t(3), 1], TEXT)).toEqual([0, 1, 2, 3, 4, 5, 6, t(4), t(5), t(6)]);
  });

  test("timestamps are forced where all together are more probable than any text", () => {
    expect(allowed([t(3), 1], { [t(4)]: 2, [t(5)]: 2, 0: 2.5 })).toEqual([t(4), t(5), t(6)]);
    expect(allowed([t(3), 1], { [t(4)]: 2, [t(5)]: 2, 0: 3 })).toContain(0);
  });

  test("what is behind the last timestamp is never chosen, nor is the token against timestamps", () => {
    for (const sampled of [[], [t(0)], [t(0), 1]]) {
      expect(allowed(sampled, { 15: 99, 7: 99 })).not.toContain(15);
      expect(allowed(sampled, { 15: 99, 7: 99 })).not.toContain(7);
    }
  });

  test("without a limit a window may begin with any timestamp", () => {
    const values = new Float32Array(SIZE);
    timestampRules({ ...VOCABULARY, maximumInitialIndex: undefined })(values, []);
    expect(values[t(6)]).toBe(0);
  });
});

test("suppressed tokens are never chosen, some only not at the beginning", () => {
  const logits = new Float32Array(4);
  suppress([1, 99])(logits, [0]);
  suppressAtBegin([2])(logits, [0]);
  expect([...logits]).toEqual([0, Number.NEGATIVE_INFINITY, 0, 0]);
  suppressAtBegin([2])(logits, []);
  expect(logits[2]).toBe(Number.NEGATIVE_INFINITY);
});

describe("choosing a token", () => {
  test("the most probable is the first of equals, whatever is not a number", () => {
    expect(chooseBest(Float32Array.of(1, Number.NaN, 3, 3))).toBe(2);
  });

  test("sampling draws by probability, at the temperature", () => {
    const logits = Float32Array.of(Math.log(1), Math.log(3), Number.NEGATIVE_INFINITY);
    const choose = (value: number, temperature: number) => sampleAt(temperature, () => value)(logits);
    expect([choose(0.24, 1), choose(0.26, 1), choose(0.999999, 1)]).toEqual([0, 1, 1]);
    // At 0.5 the odds are squared: 1 to 9.
    expect([choose(0.099, 0.5), choose(0.101, 0.5)]).toEqual([0, 1]);
  });

  test("the same seed draws the same", () => {
    const draw = (seed: string) => Array.from({ length: 5 }, randomFrom(seed));
    expect(draw("job 0 0.2")).toEqual(draw("job 0 0.2"));
    expect(draw("job 0 0.2")).not.toEqual(draw("job 0 0.4"));
    expect(draw("x").every((value) => value >= 0 && value < 1)).toBe(true);
  });
});

test("log sums of probabilities neither overflow nor vanish", () => {
  expect(logSumExp(Float32Array.of(1000, 1000))).toBeCloseTo(1000 + Math.log(2), 9);
  expect(logSumExp(Float32Array.of(Number.NEGATIVE_INFINITY))).toBe(Number.NEGATIVE_INFINITY);
});

test("texts that repeat themselves compress well", () => {
  expect(compressionRatio("")).toBe(0);
  // 22 bytes, of which zlib makes 28.
  expect(compressionRatio("That is spelled G G E.")).toBeCloseTo(22 / 28, 12);
  expect(compressionRatio("the cat sat on the mat. ".repeat(20))).toBeCloseTo(480 / 34, 12);
});

describe("splitting a window", () => {
  const split = (tokens: number[]) => splitSegments(tokens, VOCABULARY.firstTimestamp, 6);

  test("two complete segments: the next window starts behind this one", () => {
    expect(split([t(0), 1, t(2), t(2), 2, t(4)])).toEqual({
      segments: [
        { startStep: 0, endStep: 2, tokens: [t(0), 1, t(2)] },
        { startStep: 2, endStep: 4, tokens: [t(2), 2, t(4)] },
      ],
      advanceSteps: undefined,
    });
  });

  test("text behind the last pair is left for the next window, which starts there", () => {
    expect(split([t(0), 1, t(2), t(3), 2])).toEqual({
      segments: [{ startStep: 0, endStep: 2, tokens: [t(0), 1, t(2)] }],
      advanceSteps: 2,
    });
  });

  test("a pair at the end: the next window starts at it", () => {
    expect(split([t(0), 1, t(2), t(2)]).advanceSteps).toBe(2);
  });

  test("without a pair the window is one segment", () => {
    expect(split([t(1), 1, t(3)])).toEqual({
      segments: [{ startStep: 0, endStep: 3, tokens: [t(1), 1, t(3)] }],
      advanceSteps: undefined,
    });
    expect(split([t(0), 1]).segments[0].endStep).toBe(6);
    expect(split([]).segments).toEqual([{ startStep: 0, endStep: 6, tokens: [] }]);
  });
});

describe("falling back to higher temperatures", () => {
  const thresholds = { compressionRatio: 2.4, logprob: -1, noSpeech: 0.6 };
  const decoded = (figures: Partial<DecodedWindow>): DecodedWindow => ({
    tokens: [],
    text: "",
    avgLogprob: -0.5,
    noSpeechProbability: 0,
    compressionRatio: 1,
    temperature: 0,
    ...figures,
  });

  test.each([
    [{}, false],
    [{ compressionRatio: 2.5 }, true],
    [{ avgLogprob: -1.1 }, true],
    [{ avgLogprob: -1.1, noSpeechProbability: 0.7 }, false],
    [{ avgLogprob: -0.9, noSpeechProbability: 0.7 }, false],
    [{ compressionRatio: 2.5, avgLogprob: -0.5, noSpeechProbability: 0.7 }, true],
  ])("%j: %j", (figures, expected) => {
    expect(needsFallback(decoded(figures), thresholds)).toBe(expected);
  });

  test("thresholds can be switched off", () => {
    const off = { compressionRatio: null, logprob: null, noSpeech: null };
    const worst = decoded({ compressionRatio: 99, avgLogprob: -99, noSpeechProbability: 1 });
    expect(needsFallback(worst, off)).toBe(false);
    expect(isSilence(worst, off)).toBe(false);
    expect(isSilence(worst, { ...off, noSpeech: 0.6 })).toBe(true);
  });

  const run = async (windows: DecodedWindow[]) => {
    const tried: number[] = [];
    const chosen = await decodeWithFallback(
      async (temperature) => {
        tried.push(temperature);
        return windows[tried.length - 1];
      },
      windows.map(({ temperature }) => temperature),
      thresholds,
    );
    return { temperature: chosen.temperature, tried };
  };

  test("the first text that passes stands", async () => {
    const windows = [decoded({ avgLogprob: -2 }), decoded({ temperature: 0.2 }), decoded({ temperature: 0.4 })];
    expect(await run(windows)).toEqual({ temperature: 0.2, tried: [0, 0.2] });
  });

  test("where none passes, the first that does not repeat itself stands", async () => {
    const windows = [
      decoded({ compressionRatio: 5 }),
      decoded({ avgLogprob: -2, temperature: 0.2 }),
      decoded({ avgLogprob: -1.5, temperature: 0.4 }),
    ];
    expect(await run(windows)).toEqual({ temperature: 0.2, tried: [0, 0.2, 0.4] });
    expect(await run([decoded({ compressionRatio: 5 })])).toEqual({ temperature: 0, tried: [0] });
  });
});

describe("language", () => {
  const languages = new Map([
    ["en", 1],
    ["de", 2],
    ["jw", 4],
  ]);
  const special = { languages };
  const vote = (logits: number[][], weights: number[] = []) =>
    voteLanguage(
      logits.map((row, i) => ({
        probabilities: languageProbabilities(Float32Array.from(row), languages),
        weight: weights[i] ?? 1,
      })),
      languages,
    );

  test("the most probable among the languages alone", () => {
    const { language, probability } = vote([[50, 1, 3, 60, 1]]);
    expect(language).toBe("de");
    expect(probability).toBeCloseTo(Math.exp(3) / (Math.exp(3) + 2 * Math.exp(1)), 6);
  });

  test("logits that are no numbers give no certainty", () => {
    expect(vote([Array(5).fill(Number.NaN)])).toEqual({ language: "en", probability: 0 });
  });

  test("several windows vote, each by how much speech it holds; one that says nothing does not count", () => {
    const german = [0, 0, 9, 0, 0];
    const english = [0, 9, 0, 0, 0];
    expect(vote([english, german, german]).language).toBe("de");
    expect(vote([english, german, german], [5, 1, 1]).language).toBe("en");
    expect(vote([english, german, german], [5, 1, 1]).probability).toBeCloseTo(5 / 7, 2);
    expect(vote([Array(5).fill(Number.NaN), german])).toEqual(vote([german]));
    expect(vote([])).toEqual({ language: "en", probability: 0 });
  });

  test.each([
    [undefined, undefined],
    ["auto", undefined],
    ["DE", "de"],
    ["jv", "jw"],
  ])("asked for %s: %s", (code, expected) => {
    expect(requestedLanguage(code, special)).toBe(expected);
  });

  test("one that the model lacks is refused", () => {
    expect(() => requestedLanguage("fr", special)).toThrow(expect.objectContaining({ code: "language_unsupported" }));
    const englishOnly = { languages: new Map<string, number>() };
    expect(requestedLanguage("en", englishOnly)).toBe("en");
    expect(() => requestedLanguage("de", englishOnly)).toThrow(
      expect.objectContaining({ code: "language_unsupported" }),
    );
  });
});
