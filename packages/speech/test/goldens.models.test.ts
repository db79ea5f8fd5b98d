import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { PcmFile } from "../src/audio/pcm-file.ts";
import { LogMel } from "../src/features/log-mel.ts";
import { type ModelFolder, readModelFolder } from "../src/model/read-model-folder.ts";
import { SharedModel } from "../src/runtime/shared-model.ts";
import { openWhisperModel } from "../src/sessions/open-whisper-model.ts";
import type { EncodedAudio, WhisperModel } from "../src/sessions/whisper-model.ts";
import { parseSpeechOptions } from "../src/speech-options.ts";
import { chooseBest } from "../src/whisper/choose-token.ts";
import { judgeText } from "../src/whisper/decode-window.ts";
import { type LogitsRule, suppress, suppressAtBegin, timestampRules } from "../src/whisper/logits-rules.ts";
import { transcribeSequential } from "../src/whisper/transcribe-sequential.ts";
import { findAlignment } from "../src/whisper/words/find-alignment.ts";
import { collect } from "./build/collect.ts";

const MODELS = process.env.SCRIBE_TEST_MODELS ?? "";
const AUDIO = process.env.SCRIBE_TEST_AUDIO ?? join(MODELS, "../audio");
const never = new AbortController().signal;

type Decoded = {
  tokens: number[];
  text: string;
  avg_logprob: number;
  no_speech_prob: number;
  compression_ratio: number;
  gaps: (number | null)[];
};
type WindowGolden = {
  file: string;
  samples: number;
  mel: { mean: number; frames: number[]; bins: number[]; values: number[][] };
  encoder: { positions: number[]; dims: number[]; values: number[][] };
  without_timestamps: Decoded;
  with_timestamps: Decoded;
  words: { word: string; start: number; end: number; probability: number }[];
};
type SequentialGolden = {
  files: string[];
  gaps_after: number[];
  samples: number;
  segments: {
    start: number;
    end: number;
    text: string;
    tokens: number[];
    avg_logprob: number;
    no_speech_prob: number;
  }[];
};

/** Samples of a recording: resampled to fp32 as the goldens' were, or to 16 bit as ours are. */
function decodeAudio(file: string, format: "f32le" | "s16le"): Buffer {
  const path = join(AUDIO, file);
  if (!existsSync(path)) throw new Error(`The goldens need ${file}: set SCRIBE_TEST_AUDIO`);
  const args = ["-v", "error", "-i", path, "-ac", "1", "-ar", "16000", "-f", format, "-"];
  return execFileSync("ffmpeg", args, { maxBuffer: 2 ** 28 });
}

/** The greatest difference between values at [rows × columns] and a golden grid. */
function distance(golden: number[][], value: (row: number, column: number) => number): number {
  return Math.max(...golden.flatMap((row, i) => row.map((expected, j) => Math.abs(value(i, j) - expected))));
}

/** Words as the goldens write them: whatever stands between spaces. */
function joinAtSpaces(words: { word: string; start: number; end: number }[]) {
  const joined: { word: string; start: number; end: number }[] = [];
  for (const { word, start, end } of words) {
    const last = joined.at(-1);
    if (last && !word.startsWith(" ")) Object.assign(last, { word: last.word + word, end });
    else joined.push({ word, start, end });
  }
  return joined;
}

describe.each([
  { name: "whisper-nano.en", goldens: "", every: 1 },
  // The larger model takes ten times as long: a third of its recordings must do.
  { name: "whisper-tiny.en-relearned", goldens: "tiny", every: 3 },
])("$name agrees with an independent implementation", ({ name, goldens, every }) => {
  const golden = (file: string) => JSON.parse(readFileSync(join(MODELS, "goldens", goldens, file), "utf8"));
  const windows = (golden("windows.json") as WindowGolden[]).filter((_, i) => i % every === 0);
  let model: ModelFolder;
  let network: WhisperModel;
  let logMel: LogMel;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "scribe-goldens-"));
    model = await readModelFolder(join(MODELS, name));
    ({ network } = await openWhisperModel(model, { executionProviders: ["cpu"], intraOpThreads: 2 }));
    logMel = new LogMel(model.features);
  });
  afterAll(async () => {
    await network.close();
    await rm(folder, { recursive: true });
  });

  const decode = async (audio: EncodedAudio, prompt: number[], timing: LogitsRule[]) => {
    const raw = await new SharedModel(network).lane("golden").decode(
      { audio, row: 0, release() {} },
      {
        prompt,
        startPosition: 0,
        rules: [suppressAtBegin(model.beginSuppressTokens), suppress(model.suppressTokens), ...timing],
        choose: () => chooseBest,
        maximumTokens: 224,
        endOfText: model.special.endOfText,
        noSpeech: model.special.noSpeech,
      },
      never,
    );
    return judgeText(model.tokenizer, raw, 0);
  };

  test.each(windows.map((entry) => [entry.file, entry] as const))("on %s", async (file, entry) => {
    const bytes = decodeAudio(file, "f32le");
    const samples = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    expect(samples.length).toBe(entry.samples);
    const { windowFrames, config, special } = model;

    const mel = logMel.window(samples, windowFrames);
    const { frames, bins } = entry.mel;
    expect(distance(entry.mel.values, (i, j) => mel[bins[j] * windowFrames + frames[i]])).toBeLessThan(1e-4);
    expect(mel.reduce((sum, value) => sum + value, 0) / mel.length).toBeCloseTo(entry.mel.mean, 4);

    const audio = await network.encode(mel, 1);
    try {
      // The handle of an export holds what the encoder said.
      const hidden = (audio as EncodedAudio & { hidden: { data: Float32Array } }).hidden.data;
      const { positions, dims } = entry.encoder;
      expect(distance(entry.encoder.values, (i, j) => hidden[positions[i] * config.d_model + dims[j]])).toBeLessThan(
        1e-3,
      );

      const timing = timestampRules({
        ...special,
        maximumInitialIndex: model.generation.max_initial_timestamp_index ?? 0,
      });
      for (const [expected, prompt, rules] of [
        [entry.without_timestamps, [special.startOfTranscript, special.noTimestamps], []],
        [entry.with_timestamps, [special.startOfTranscript], [timing]],
      ] as [Decoded, number[], LogitsRule[]][]) {
        const decoded = await decode(audio, prompt, rules);
        expect(decoded.tokens).toEqual(expected.tokens);
        expect(decoded.text).toBe(expected.text.trim());
        expect(decoded.avgLogprob).toBeCloseTo(expected.avg_logprob, 3);
        expect(decoded.noSpeechProbability).toBeCloseTo(expected.no_speech_prob, 4);
        expect(decoded.compressionRatio).toBeCloseTo(expected.compression_ratio, 5);
      }

      const text = entry.without_timestamps.tokens.filter((token) => token < special.endOfText);
      const words = await findAlignment(model, (...asked) => network.align(audio, 0, ...asked), {
        startTokens: [special.startOfTranscript],
        words: model.tokenizer.decodeByCharacters(text).map(({ text, ids }) => ({ word: text, tokens: ids })),
        contentFrames: Math.floor(samples.length / model.features.hopSize),
      });
      const joined = joinAtSpaces(words);
      expect(joined.map(({ word }) => word)).toEqual(entry.words.map(({ word }) => word));
      for (const [i, { start, end }] of joined.entries()) {
        expect(Math.abs(start - entry.words[i].start)).toBeLessThan(0.021);
        expect(Math.abs(end - entry.words[i].end)).toBeLessThan(0.021);
      }
    } finally {
      audio.release();
    }
  });

  test("on a minute of joined recordings, by the reference's way through a file", async () => {
    const { files, gaps_after, samples, segments }: SequentialGolden = golden("sequential.json");
    const parts = files.flatMap((file, i) => [
      decodeAudio(file, "s16le"),
      Buffer.alloc(2 * Math.round(gaps_after[i] * 16000)),
    ]);
    const path = join(folder, "joined.pcm");
    await writeFile(path, Buffer.concat(parts));
    const pcm = await PcmFile.open(path);
    try {
      expect(pcm.sampleCount).toBe(samples);
      const guards = { loops: false, anomalies: false };
      const options = parseSpeechOptions({ temperature: 0, guards });
      const decoder = new SharedModel(network).lane("golden");
      const request = { model, decoder, pcm, options, seed: "", melMaximum: "file" } as const;
      const heard = await collect(transcribeSequential(request, never));
      expect(heard.segments.map(({ tokens }) => tokens)).toEqual(segments.map(({ tokens }) => tokens));
      for (const [i, expected] of segments.entries()) {
        const { start, end, text, avg_logprob, no_speech_prob } = heard.segments[i];
        expect([start, end, text]).toEqual([expected.start, expected.end, expected.text]);
        expect(avg_logprob).toBeCloseTo(expected.avg_logprob, 3);
        expect(no_speech_prob).toBeCloseTo(expected.no_speech_prob, 4);
      }
    } finally {
      await pcm.close();
    }
  });
});
