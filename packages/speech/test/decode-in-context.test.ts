import { resolve } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { type ModelFolder, readModelFolder } from "../src/model/read-model-folder.ts";
import { parseSpeechOptions } from "../src/speech-options.ts";
import { contextAfter, decodeInContext } from "../src/whisper/decode-in-context.ts";
import { planTranscription } from "../src/whisper/transcription-plan.ts";
import type { DecodeRequest, RawText, WindowDecoder } from "../src/whisper/window-decoder.ts";

let model: ModelFolder;
beforeAll(async () => {
  model = await readModelFolder(resolve("models/whisper-nano.en"));
});

type Said = { text: string; logprob?: number; looped?: boolean };
const SENTENCE = "we need a table for two near the window and the coffee please";

/** What is heard of a window by a model that says `within` behind earlier text, and `without` where there is none. */
async function decode(within: Said, without: Said, options: object = {}, previous = " before") {
  const asked: string[] = [];
  const decoder = {
    decode: async (_window: unknown, { prompt, startPosition }: DecodeRequest): Promise<RawText> => {
      const read = model.tokenizer.decode(prompt.slice(1, startPosition)).trim();
      const { text, logprob = -0.3, looped = false } = read.includes("before") ? within : without;
      asked.push(read);
      const tokens = model.tokenizer.encode(` ${text}`);
      return { tokens, sumLogprob: logprob * (tokens.length + 1), noSpeechProbability: 0, looped };
    },
  } as unknown as WindowDecoder;
  const parsed = parseSpeechOptions({ temperature: [0, 0.4], ...options });
  const plan = planTranscription(model, parsed, 480_000, "sequential", undefined);
  const context = {
    position: 0,
    language: "en",
    previous: previous ? model.tokenizer.encode(previous) : plan.promptTokens,
  };
  const hearing = { model, decoder, options: parsed, plan, seed: "" };
  const heard = await decodeInContext(hearing, {} as never, context, new AbortController().signal);
  return { text: heard.decoded.text, previous: model.tokenizer.decode([...heard.previous]).trim(), asked };
}

describe("what was said before", () => {
  test("stays where it does no harm", async () => {
    const heard = await decode({ text: SENTENCE }, { text: `${SENTENCE} now`, logprob: -0.2 });
    expect(heard).toEqual({ text: SENTENCE, previous: "before", asked: ["before", ""] });
  });

  test.each<[string, Said]>([
    ["goes round in circles", { text: SENTENCE, looped: true }],
    ["repeats itself", { text: "the coffee ".repeat(40).trim() }],
    ["leaves something out", { text: "we need" }],
    ["is much less probable", { text: SENTENCE, logprob: -0.6 }],
  ])("is left out where the text with it %s", async (_how, within) => {
    expect(await decode(within, { text: SENTENCE })).toMatchObject({ text: SENTENCE, previous: "" });
  });

  test("stays where the text without it is the one that repeats itself", async () => {
    expect(await decode({ text: "we need" }, { text: "the coffee ".repeat(40).trim() })).toMatchObject({
      text: "we need",
    });
  });

  test("is left out where the text with it says less than the other's first round", async () => {
    const round = `${SENTENCE} ${"and so on ".repeat(30)}`.trim();
    const heard = await decode({ text: "" }, { text: round, looped: true });
    expect(heard.previous).toBe("");
    expect(heard.text).toMatch(new RegExp(`^${SENTENCE}`));
  });

  test("leaves a caller's own prompt where it is", async () => {
    const heard = await decode({ text: SENTENCE }, { text: SENTENCE }, { prompt: "names" }, "");
    expect(heard).toEqual({ text: SENTENCE, previous: "names", asked: ["names"] });
    const behind = await decode(
      { text: "we need", looped: true },
      { text: SENTENCE },
      { prompt: "names" },
      " names before",
    );
    expect(behind.previous).toBe("names");
    expect(behind.asked.slice(0, 2)).toEqual(["names before", "names"]);
  });

  test("is always read where there is one temperature, and where the guard is off", async () => {
    const harmful: Said = { text: "we need", logprob: -0.9 };
    for (const options of [{ temperature: 0 }, { guards: { context: false } }]) {
      expect(await decode(harmful, { text: SENTENCE }, options)).toEqual({
        text: "we need",
        previous: "before",
        asked: ["before"],
      });
    }
  });

  test("is not read at higher temperatures where it was left out", async () => {
    const doubtful: Said = { text: SENTENCE, logprob: -1.2 };
    const heard = await decode({ text: SENTENCE, logprob: -2 }, doubtful);
    expect(heard.asked).toEqual(["before", "", ""]);
  });
});

describe("the context of the next window", () => {
  const after = (options: object, temperature: number, previous = [1, 2]) => {
    const parsed = parseSpeechOptions(options);
    const plan = planTranscription(model, parsed, 480_000, "sequential", undefined);
    const hearing = { model, decoder: {} as WindowDecoder, options: parsed, plan, seed: "" };
    return contextAfter(hearing, previous, [{ tokens: [3] }, { tokens: [4, 5] }], temperature);
  };

  test("is that of this one with its text, the end of it where not all fits", () => {
    expect(after({}, 0.4)).toEqual([1, 2, 3, 4, 5]);
    const most = Math.floor(model.config.max_target_positions / 2) - 1;
    const long = after({}, 0, Array(1000).fill(1));
    expect([long.length, long.slice(-4)]).toEqual([most, [1, 3, 4, 5]]);
  });

  test("is nothing where the text is too free, or where it is not wanted", () => {
    expect(after({}, 0.6)).toEqual([]);
    expect(after({ condition_on_previous_text: false }, 0)).toEqual([]);
  });
});
