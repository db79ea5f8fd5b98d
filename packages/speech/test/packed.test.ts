import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { PcmFile } from "../src/audio/pcm-file.ts";
import { type ModelFolder, readModelFolder } from "../src/model/read-model-folder.ts";
import type { EncodedAudio } from "../src/sessions/whisper-model.ts";
import { parseSpeechOptions } from "../src/speech-options.ts";
import { transcribePacked } from "../src/whisper/transcribe-packed.ts";
import type { RawText, WindowDecoder } from "../src/whisper/window-decoder.ts";
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

  /** Hears ten seconds that are all speech by a script: one entry a hearing. */
  async function hear(...scripts: Script[]) {
    const waiting = [...scripts];
    const { special, tokenizer, secondsPerTimestamp } = model;
    const timestamp = (seconds: number) => special.firstTimestamp + Math.round(seconds / secondsPerTimestamp);
    const decoder = {
      canAlign: false,
      width: 1,
      encode: async (features: () => Promise<Float32Array>) => {
        await features();
        return { audio: {} as EncodedAudio, row: 0, release() {} };
      },
      decode: async (): Promise<RawText> => {
        const script = waiting.shift();
        if (!script) throw new Error("nothing more should be heard");
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
      yield new Float32Array(Math.ceil((to - from) / 512)).fill(1);
    }
    const options = parseSpeechOptions({ temperature: 0 });
    const request = {
      model,
      decoder,
      pcm,
      options,
      seed: "",
      speechProbabilities,
      features: () => new Float32Array(0),
    };
    const { text } = await collect(transcribePacked(request, new AbortController().signal));
    expect(waiting).toEqual([]);
    return text.trim();
  }

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
});
