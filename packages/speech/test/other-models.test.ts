import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type SpeechOptions, type SpeechRuntime, startSpeechRuntime } from "../src/index.ts";
import { readModelFolder } from "../src/model/read-model-folder.ts";
import { collect } from "./build/collect.ts";
import { type RandomShape, SMALL_SHAPE, writeRandomModel } from "./build/random-model.ts";
import { PARK } from "./build/samples.ts";

const SHAPES: Record<string, RandomShape> = {
  "english-only": SMALL_SHAPE,
  multilingual: {
    ...SMALL_SHAPE,
    seed: "multilingual",
    width: 24,
    heads: 3,
    encoderLayers: 2,
    decoderLayers: 3,
    melBins: 128,
    languages: ["en", "de", "ja", "jw", "yue"],
  },
  "short windows": { ...SMALL_SHAPE, seed: "short", windowSeconds: 10, width: 32, heads: 4 },
  "without attentions": { ...SMALL_SHAPE, seed: "blind", attentions: false },
};

let folder: string;
let runtime: SpeechRuntime;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scribe-models-"));
  for (const [name, shape] of Object.entries(SHAPES)) await writeRandomModel(join(folder, name), shape);
  runtime = startSpeechRuntime({ executionProviders: ["cpu"], intraOpThreads: 1 });
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

const transcribe = (name: string, options: SpeechOptions = {}, model = join(folder, name)) =>
  collect(
    runtime.transcribe(
      // Random networks pass no threshold.
      { id: name, model, pcmPath: PARK, options: { temperature: 0, no_speech_threshold: null, ...options } },
      new AbortController().signal,
    ),
  );

describe("models of any shape", () => {
  test.each(Object.keys(SHAPES))("%s: decoded by what its folder says", async (name) => {
    const model = await readModelFolder(join(folder, name));
    const { segments, done, windows } = await transcribe(name, { word_timestamps: true });
    expect(segments.length).toBeGreaterThan(0);
    expect(done?.durationSeconds).toBe(4.06);
    expect(windows.at(-1)?.processedSeconds).toBeCloseTo(4.06, 2);
    for (const { tokens, text, start, end, words } of segments) {
      expect(end).toBeGreaterThanOrEqual(start);
      expect(end).toBeLessThanOrEqual(4.08);
      const said = tokens.filter((token) => token < model.special.endOfText);
      expect(text).toBe(model.tokenizer.decode(said));
      expect(said).not.toContain(0);
      for (const token of tokens) expect(token).toBeLessThan(model.config.vocab_size);
      expect(words?.map(({ word }) => word).join("")).toBe(text);
    }
    expect(await transcribe(name, { word_timestamps: true })).toMatchObject({ segments });
  });

  test("what text came before changes what follows, and takes no more than its half of the context", async () => {
    const plain = await transcribe("english-only");
    const prompted = await transcribe("english-only", { prompt: "the rabbit ".repeat(200) });
    expect(prompted.segments).not.toEqual(plain.segments);
    const { previous_tokens } = prompted.windows[0].checkpoint;
    expect(previous_tokens.length).toBeLessThanOrEqual(31);
    const forgetful = await transcribe("short windows", { condition_on_previous_text: false });
    for (const { checkpoint } of forgetful.windows) expect(checkpoint.previous_tokens).toEqual([]);
  });

  test("tokens that a caller suppresses are not said", async () => {
    const { segments } = await transcribe("english-only");
    const { special } = await readModelFolder(join(folder, "english-only"));
    const said = [...new Set(segments.flatMap(({ tokens }) => tokens))].filter((id) => id < special.endOfText);
    expect(said.length).toBeGreaterThan(0);
    const other = await transcribe("english-only", { suppress_tokens: [-1, ...said] });
    for (const token of other.segments.flatMap(({ tokens }) => tokens)) expect(said).not.toContain(token);
  });

  test("words are interpolated, and said to be, where a decoder does not show its attention", async () => {
    const { done, segments } = await transcribe("without attentions", { word_timestamps: true });
    expect(done?.wordsMethod).toBe("interpolated");
    for (const { words, start, end } of segments) {
      expect(words?.[0].start).toBe(start);
      expect(words?.at(-1)?.end).toBe(end);
    }
    expect((await transcribe("multilingual", { word_timestamps: true })).done?.wordsMethod).toBe("attention");
  });
});

describe("multilingual models", () => {
  test("detect the language, and say how sure they are", async () => {
    const { language, done } = await transcribe("multilingual");
    expect(["en", "de", "ja", "jw", "yue"]).toContain(language?.language);
    expect(language?.probability).toBeGreaterThan(0.2);
    expect(language?.probability).toBeLessThanOrEqual(1);
    expect(done?.language).toBe(language?.language);
  });

  test("take the language and task asked for", async () => {
    const detected = await transcribe("multilingual");
    const given = await transcribe("multilingual", { language: detected.language?.language });
    expect(given.segments).toEqual(detected.segments);
    expect(given.language?.probability).toBe(1);
    const other = detected.language?.language === "ja" ? "de" : "ja";
    expect((await transcribe("multilingual", { language: other })).segments).not.toEqual(detected.segments);
    expect((await transcribe("multilingual", { language: "jv" })).done?.language).toBe("jw");
    const translated = await transcribe("multilingual", { language: other, task: "translate" });
    expect(translated.segments).not.toEqual((await transcribe("multilingual", { language: other })).segments);
  });

  test("refuse a language that they lack", async () => {
    await expect(transcribe("multilingual", { language: "fr" })).rejects.toMatchObject({
      code: "language_unsupported",
    });
  });

  test("detect a language even in no samples", async () => {
    const pcmPath = join(folder, "nothing.pcm");
    await writeFile(pcmPath, "");
    const request = { id: "nothing", model: join(folder, "multilingual"), pcmPath, options: {} };
    const { language, text } = await collect(runtime.transcribe(request, new AbortController().signal));
    expect(["en", "de", "ja", "jw", "yue"]).toContain(language?.language);
    // Nothing was heard: a guess, and said to be no more.
    expect(language?.probability).toBe(0);
    expect(text).toBe("");
  });
});

describe("a model folder that does not hold together is refused", () => {
  type Json = Record<string, unknown>;
  const damage = async (file: string, change: (json: Json) => void) => {
    const copy = await mkdtemp(join(folder, "damaged-"));
    await cp(join(folder, "multilingual"), copy, { recursive: true });
    const json = JSON.parse(await readFile(join(copy, file), "utf8"));
    change(json);
    await writeFile(join(copy, file), JSON.stringify(json));
    return copy;
  };

  test.each<[string, string, (json: Json) => void]>([
    ["a network of another kind", "config.json", (json) => Object.assign(json, { model_type: "wav2vec2" })],
    ["a vocabulary that the tokenizer exceeds", "config.json", (json) => Object.assign(json, { vocab_size: 300 })],
    ["features of another size", "preprocessor_config.json", (json) => Object.assign(json, { feature_size: 80 })],
    ["positions that do not fit", "config.json", (json) => Object.assign(json, { max_source_positions: 1499 })],
    ["audio of another rate", "preprocessor_config.json", (json) => Object.assign(json, { sampling_rate: 8000 })],
    ["more layers than the graph has", "config.json", (json) => Object.assign(json, { decoder_layers: 4 })],
    ["another width than the graph has", "config.json", (json) => Object.assign(json, { d_model: 48 })],
    ["languages that are no tokens", "generation_config.json", (json) => Object.assign(json, { lang_to_id: { x: 1 } })],
    ["heads that are no pairs", "generation_config.json", (json) => Object.assign(json, { alignment_heads: [1] })],
    [
      "a tokenizer without its special tokens",
      "tokenizer.json",
      (json) => Object.assign(json, { added_tokens: (json.added_tokens as Json[]).slice(2) }),
    ],
  ])("%s", async (_, file, change) => {
    const model = await damage(file, change);
    await expect(transcribe("damaged", {}, model)).rejects.toMatchObject({ code: "invalid_model" });
  });

  test("but one without a generation config says enough in its other files", async () => {
    const copy = await mkdtemp(join(folder, "older-"));
    await cp(join(folder, "multilingual"), copy, { recursive: true });
    await rm(join(copy, "generation_config.json"));
    expect((await readModelFolder(copy)).special.languages.size).toBe(5);
    expect((await transcribe("older", {}, copy)).segments.length).toBeGreaterThan(0);
    const config = JSON.parse(await readFile(join(copy, "config.json"), "utf8"));
    const { special } = await readModelFolder(copy);
    config.forced_decoder_ids = [[1, special.noTimestamps]];
    await writeFile(join(copy, "config.json"), JSON.stringify(config));
    expect((await readModelFolder(copy)).special.languages.size).toBe(0);
  });
});
