import type { PcmFile } from "../audio/pcm-file.ts";
import { type WindowFeatures, windowFeatures } from "../features/feature-source.ts";
import { LogMel } from "../features/log-mel.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { DECODER_VERSION, type SpeechCheckpoint, type SpeechEvent } from "../speech-events.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import type { Hearing } from "./decode-attempt.ts";
import { contextAfter } from "./decode-in-context.ts";
import { findWindows, type SpeechProbabilities, type SpeechWindow } from "./find-windows.ts";
import { hearAhead } from "./hear-ahead.ts";
import { hearStretch } from "./hear-stretch.ts";
import { knownLanguage, planTranscription } from "./transcription-plan.ts";
import { voteForLanguage } from "./vote-for-language.ts";
import type { WindowDecoder } from "./window-decoder.ts";

export type PackedRequest = {
  model: ModelFolder;
  decoder: WindowDecoder;
  pcm: PcmFile;
  options: ParsedSpeechOptions;
  /** Decides what sampling draws, together with a window's position. */
  seed: string;
  resume?: SpeechCheckpoint | undefined;
  speechProbabilities: SpeechProbabilities;
  /** One window after the other, each with the text of those before as its context. */
  inContext?: boolean;
  /** Features of a window by the model's own graph, where it has one. */
  features?: WindowFeatures | undefined;
};

/**
 * Windows of speech, independent and several at once unless `inContext`. Speech is packed into windows of continuous audio, cut where speech is least
 * probable; what follows a window's last complete segment is heard again on its own. Yields as `transcribeSequential` does, windows in order; each checkpoint holds for what stands before it.
 */
export async function* transcribePacked(
  request: PackedRequest,
  signal: AbortSignal,
): AsyncGenerator<SpeechEvent, void, undefined> {
  const { model, decoder, pcm, options, resume, inContext = false } = request;
  const { features, special } = model;
  const mode = inContext ? "sequential" : "packed";
  const plan = planTranscription(model, options, pcm.sampleCount, mode, resume);
  const secondsOf = (frames: number) => (frames * features.hopSize) / features.sampleRate;
  const own = new AbortController();
  const stop = AbortSignal.any([signal, own.signal]);
  const hearing: Hearing = { ...request, plan };
  const logMel = new LogMel(features);
  const source = windowFeatures(
    pcm,
    request.features ?? ((samples) => logMel.window(samples, model.windowFrames)),
    features,
  );

  const perWindow = options.multilingual && plan.language === undefined && special.languages.size > 0;
  let windows: AsyncIterable<SpeechWindow> | readonly SpeechWindow[] = findWindows(request, plan, stop);
  let language = knownLanguage(plan, resume);
  if (language === undefined) {
    // All of the file has a say in it.
    const all: SpeechWindow[] = [];
    for await (const window of windows) all.push(window);
    windows = all;
    language = await voteForLanguage(hearing, source, all, stop);
  }
  yield { type: "language", ...language };

  const heard = { ...hearing, source, language: perWindow ? undefined : language.language };
  let previous: readonly number[] = (inContext && resume?.previous_tokens) || plan.promptTokens;
  const ahead = hearAhead(
    startingFrom(resume?.position ?? 0, windows),
    () => (inContext ? 1 : decoder.width),
    async (window) => {
      const segments = await hearStretch({ ...heard, previous }, window, stop);
      const temperature = Math.max(0, ...segments.map(({ temperature }) => temperature));
      if (inContext) previous = contextAfter(hearing, previous, segments, temperature);
      return { segments, previous };
    },
  );
  try {
    for (let next = await ahead.read(); next; next = await ahead.read()) {
      const { segments, previous } = next.result;
      const { end } = next.thing;
      yield {
        type: "window",
        segments,
        // Behind the last speech there is nothing to wait for.
        processedSeconds: secondsOf((next.isLast ? plan.endFrame : end) - plan.startFrame),
        totalSeconds: secondsOf(plan.endFrame - plan.startFrame),
        checkpoint: {
          decoder_version: DECODER_VERSION,
          mode,
          position: end,
          previous_tokens: inContext ? [...previous] : [],
          language: language.language,
          language_probability: language.probability,
          last_speech: segments.at(-1)?.end ?? 0,
        },
      };
    }
  } finally {
    own.abort();
    await ahead.end();
  }
  const durationSeconds = pcm.sampleCount / features.sampleRate;
  yield {
    type: "done",
    language: language.language,
    languageProbability: language.probability,
    durationSeconds,
    ...(options.word_timestamps && { wordsMethod: decoder.canAlign ? "attention" : "interpolated" }),
  };
}

async function* startingFrom(position: number, windows: AsyncIterable<SpeechWindow> | readonly SpeechWindow[]) {
  for await (const window of windows) if (window.start >= position) yield window;
}
