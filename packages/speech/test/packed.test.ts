import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { PcmFile } from "../src/audio/pcm-file.ts";
import { type ModelFolder, readModelFolder } from "../src/model/read-model-folder.ts";
import type { EncodedAudio } from "../src/sessions/whisper-model.ts";
import type { SpeechCheckpoint, SpeechEvent } from "../src/speech-events.ts";
import { hearsAsReference, parseSpeechOptions, type SpeechOptions } from "../src/speech-options.ts";
import { transcribePacked } from "../src/whisper/transcribe-packed.ts";
import type { DecodeRequest, RawText, WindowDecoder } from "../src/whisper/window-decoder.ts";
import { collect } from "./build/collect.ts";

/** What a window is heard as: stretches with text, in seconds from its start, and how probable each token is; `opened`: a segment that is not said. */
type Script = { said: [start: number, text: string, end: number][]; logprob: number; opened?: number };

describe("packed windows of speech", () => {
  let folder: string;
  let model: ModelFolder;
  let pcm: PcmFile;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "scribe-packed-"));
    model = await readModelFolder(resolve("models/whisper-nano.en"));
    await writeFile(join(folder, "ten.pcm"), new Int16Array(160_000));
    pcm = await PcmFile.open(join(folder, "ten.pcm"));
  });
  afterAll(async () => {
    await pcm.close();
    await rm(folder, { recursive: true });
  });

  type Way = {
    options?: SpeechOptions;
    speech?: (second: number) => number;
    inContext?: boolean;
    resume?: SpeechCheckpoint;
  };

  /** Ten seconds, by default all speech, heard by a script: one entry a hearing. Also the text that each hearing read first. */
  async function listen(
    scripts: readonly Script[],
    { options = {}, speech = () => 1, inContext = false, resume }: Way,
  ) {
    const waiting = [...scripts];
    const read: string[] = [];
    const { special, tokenizer, secondsPerTimestamp } = model;
    const timestamp = (seconds: number) => special.firstTimestamp + Math.round(seconds / secondsPerTimestamp);
    const decoder = {
      canAlign: false,
      width: 1,
      encode: async (features: () => Promise<Float32Array>) => {
        await features();
        return { audio: {} as EncodedAudio, row: 0, release() {} };
      },
      decode: async (_window: unknown, { prompt, startPosition }: DecodeRequest): Promise<RawText> => {
        const script = waiting.shift();
        if (!script) throw new Error("nothing more should be heard");
        const before = prompt.slice(0, startPosition).filter((token) => token < special.endOfText);
        read.push(tokenizer.decode(before).trim());
        const tokens = script.said.flatMap(([start, text, end]) => [
          timestamp(start),
          ...tokenizer.encode(` ${text}`),
          timestamp(end),
        ]);
        if (script.opened !== undefined) tokens.push(timestamp(script.opened));
        const sumLogprob = script.logprob * (tokens.length + 1);
        return { tokens, sumLogprob, noSpeechProbability: 0, looped: false };
      },
    } as unknown as WindowDecoder;
    async function* speechProbabilities(from: number, to: number) {
      yield Float32Array.from({ length: Math.ceil((to - from) / 512) }, (_, i) => speech((i * 512) / 16_000));
    }
    const request = {
      model,
      decoder,
      pcm,
      options: parseSpeechOptions({ temperature: 0, ...options }),
      seed: "",
      speechProbabilities,
      features: () => new Float32Array(0),
      inContext,
      resume,
    };
    const events: SpeechEvent[] = [];
    async function* told() {
      for await (const event of transcribePacked(request, new AbortController().signal)) {
        events.push(event);
        yield event;
      }
    }
    const { text } = await collect(told());
    expect(waiting).toEqual([]);
    const checkpoints = events.flatMap((event) => (event.type === "window" ? [event.checkpoint] : []));
    return { text: text.trim(), read, checkpoints };
  }

  const hear = async (...scripts: Script[]) => (await listen(scripts, {})).text;

  const BESIDE: Script = {
    said: [
      [0, "first", 2],
      [8, "last", 9.9],
    ],
    logprob: -0.2,
  };

  test("are heard once where nothing follows their last complete segment, whatever lies between its segments", async () => {
    expect(await hear(BESIDE)).toBe("first last");
  });

  test("hear what follows the last complete segment, until too little is left", async () => {
    const early: Script = { said: [[0, "first", 4]], logprob: -0.2, opened: 4 };
    expect(await hear(early, { said: [[0, "rest", 5.8]], logprob: -2, opened: 5.8 })).toBe("first rest");
  });

  describe("in the context of those before", () => {
    // Speech, three seconds of silence, speech: two windows.
    const speech = (second: number) => (second < 3 || second > 6 ? 1 : 0);
    const first: Script = { said: [[0, "first", 2.9]], logprob: -0.2 };
    const then: Script = { said: [[0, "then", 3.9]], logprob: -0.2 };

    test("read what those before said; side by side they do not", async () => {
      const beside = await listen([first, then], { speech });
      expect(beside).toMatchObject({ text: "first then", read: ["", ""] });
      expect(beside.checkpoints).toMatchObject([{ mode: "packed", previous_tokens: [] }, { mode: "packed" }]);
      const after = await listen([first, then], { speech, inContext: true });
      expect(after).toMatchObject({ text: "first then", read: ["", "first"] });
      expect(after.checkpoints).toMatchObject([{ mode: "sequential" }, { mode: "sequential" }]);
    });

    test("are heard without it as well where there are temperatures to fall back to", async () => {
      const options = { temperature: [0, 0.4] };
      const { text, read } = await listen([first, { ...then, logprob: -0.9 }, then], {
        speech,
        inContext: true,
        options,
      });
      expect([text, read]).toEqual(["first then", ["", "first", ""]]);
    });

    test("go on behind a checkpoint with what was said before it", async () => {
      const { checkpoints } = await listen([first, then], { speech, inContext: true });
      const { text, read } = await listen([then], { speech, inContext: true, resume: checkpoints[0] });
      expect([text, read]).toEqual(["then", ["first"]]);
    });

    test("read nothing of it where nobody wants that", async () => {
      const options = { condition_on_previous_text: false };
      expect((await listen([first, then], { speech, inContext: true, options })).read).toEqual(["", ""]);
    });

    test("read a caller's prompt in its place at the beginning", async () => {
      const options = { prompt: "names" };
      expect((await listen([first, then], { speech, inContext: true, options })).read).toEqual([
        "names",
        "names first",
      ]);
    });
  });

  test.each<[SpeechOptions, boolean]>([
    [{}, false],
    [{ vad: false }, true],
    [{ mode: "packed", vad: false }, false],
    [{ mode: "sequential" }, false],
    [{ mode: "sequential", vad: false }, true],
    [{ mode: "sequential", temperature: 0 }, true],
    [{ mode: "sequential", temperature: 0, vad: true }, false],
  ])("the reference's loop over all of the file is what %j asks for: %j", (options, expected) => {
    expect(hearsAsReference(parseSpeechOptions(options))).toBe(expected);
  });
});
