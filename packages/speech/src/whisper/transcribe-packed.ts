import type { PcmFile } from "../audio/pcm-file.ts";
import { type FeatureSource, type WindowFeatures, windowFeatures } from "../features/feature-source.ts";
import { type FeatureSettings, LogMel } from "../features/log-mel.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { DECODER_VERSION, type SpeechCheckpoint, type SpeechEvent, type SpeechSegment } from "../speech-events.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import { findSpeech, type Span, speechBetween } from "../vad/find-speech.ts";
import { planWindows } from "../vad/plan-windows.ts";
import { decodeWindow, type Hearing, startTokens } from "./decode-attempt.ts";
import type { DecodedWindow } from "./decode-window.ts";
import { isSilence, needsFallback } from "./decode-with-fallback.ts";
import { detectLanguage, type LanguageGuess, voteLanguage } from "./detect-language.ts";
import { dropAnomalies, dropSilent } from "./guards.ts";
import { placeSegments } from "./place-segments.ts";
import { alignerOf, knownLanguage } from "./transcribe-sequential.ts";
import { planTranscription } from "./transcription-plan.ts";
import type { WindowDecoder } from "./window-decoder.ts";
import { timeWords } from "./words/time-words.ts";

export type PackedRequest = {
  model: ModelFolder;
  decoder: WindowDecoder;
  pcm: PcmFile;
  options: ParsedSpeechOptions;
  /** Decides what sampling draws, together with a window's position. */
  seed: string;
  resume?: SpeechCheckpoint | undefined;
  /** How probable speech is in each window of 512 samples between two samples of the file. */
  speechProbabilities: (from: number, to: number, signal: AbortSignal) => Promise<Float32Array>;
  /** Features of a window by the model's own graph, where it has one. */
  features?: WindowFeatures | undefined;
};

/** A stretch of the file in feature frames. */
type Window = { start: number; end: number };

/** So many windows are asked for their language, spread over the file. */
const LANGUAGE_VOTES = 5;
/** So much speech that no segment covers is heard again, in seconds; and so much behind the last complete segment. */
const UNHEARD_SECONDS = 1;
const LEFT_OVER_SECONDS = 0.5;
/** Windows are divided at pauses of this length, into parts with so much speech. */
const SHORTEST_PAUSE_SECONDS = 0.2;
const SMALLEST_PART_SECONDS = 1;

/**
 * Independent windows of speech, several at once. Speech is packed into windows of continuous audio, cut where speech is least
 * probable; what follows a window's last complete segment, and speech that none of its segments covers, is heard again on
 * its own. Yields as `transcribeSequential` does, windows in order; each checkpoint holds for what stands before it.
 */
export async function* transcribePacked(
  request: PackedRequest,
  signal: AbortSignal,
): AsyncGenerator<SpeechEvent, void, undefined> {
  const { model, decoder, pcm, options, resume } = request;
  const { features, special } = model;
  const plan = planTranscription(model, options, pcm.sampleCount, "packed", resume);
  const secondsOf = (frames: number) => (frames * features.hopSize) / features.sampleRate;
  const { windows, spans } = await findWindows(request, plan, signal);
  const left = windows.filter(({ start }) => start >= (resume?.position ?? 0));
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
  let language = knownLanguage(plan, resume);
  language ??= await voteForLanguage(hearing, source, windows, spans, stop);
  yield { type: "language", ...language };

  const underway: Promise<SpeechSegment[]>[] = [];
  try {
    let asked = 0;
    for (const [i, { end }] of left.entries()) {
      for (; asked < left.length && underway.length < Math.max(1, decoder.width); asked++) {
        const heard = hearStretch(
          { ...hearing, source, spans, language: perWindow ? undefined : language.language },
          left[asked],
          stop,
        );
        // Its failure is thrown when its turn comes.
        heard.catch(() => {});
        underway.push(heard);
      }
      const segments = (await underway.shift()) ?? [];
      yield {
        type: "window",
        segments,
        // Behind the last speech there is nothing to wait for.
        processedSeconds: secondsOf((i === left.length - 1 ? plan.endFrame : end) - plan.startFrame),
        totalSeconds: secondsOf(plan.endFrame - plan.startFrame),
        checkpoint: {
          decoder_version: DECODER_VERSION,
          mode: "packed",
          position: end,
          previous_tokens: [],
          language: language.language,
          language_probability: language.probability,
          last_speech: segments.at(-1)?.end ?? 0,
        },
      };
    }
  } finally {
    own.abort();
    await Promise.allSettled(underway);
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

/** Windows of speech in feature frames, and where in the file speech is, in samples. Without detection all is speech, and only cut. */
async function findWindows(
  { model, options, pcm, speechProbabilities }: PackedRequest,
  plan: { startFrame: number; endFrame: number },
  signal: AbortSignal,
): Promise<{ windows: Window[]; spans: Span[] }> {
  const { hopSize, sampleRate } = model.features;
  const from = plan.startFrame * hopSize;
  // Samples behind the last whole frame belong to the file's end.
  const to = Math.min(pcm.sampleCount, (plan.endFrame + 1) * hopSize);
  if (plan.endFrame <= plan.startFrame) return { windows: [], spans: [] };
  const probabilities = await speechProbabilities(from, to, signal);
  const vad =
    typeof options.vad === "object" ? options.vad : { threshold: 0.5, min_silence_seconds: 2, padding_seconds: 0.2 };
  const spans = findSpeech(probabilities, from, to, vad);
  const heard = options.vad === false ? [{ start: from, end: to }] : spans;
  const planned = planWindows(heard, probabilities, from, to, {
    maximumSamples: model.windowSamples,
    silenceSamples: vad.min_silence_seconds * sampleRate,
    paddingSamples: vad.padding_seconds * sampleRate,
    gridSamples: hopSize,
  });
  const windows = planned.map(({ start, end }) => ({
    start: Math.round(start / hopSize),
    end: Math.min(plan.endFrame, Math.ceil(end / hopSize)),
  }));
  return { windows: windows.filter(({ start, end }) => end > start), spans };
}

/** The language that the windows with most speech, spread over the file, agree on. */
async function voteForLanguage(
  { model, decoder }: Hearing,
  source: FeatureSource,
  windows: readonly Window[],
  spans: readonly Span[],
  signal: AbortSignal,
): Promise<LanguageGuess> {
  const { special, features } = model;
  const count = Math.min(LANGUAGE_VOTES, windows.length);
  const speech = ({ start, end }: Window) => speechBetween(spans, start * features.hopSize, end * features.hopSize);
  const votes = Array.from({ length: count }, async (_, i) => {
    const part = windows.slice(
      Math.floor((i * windows.length) / count),
      Math.floor(((i + 1) * windows.length) / count),
    );
    const fullest = part.reduce((best, window) => (speech(window) > speech(best) ? window : best));
    const encoded = await decoder.encode(() => source.window(fullest.start, fullest.end - fullest.start), signal);
    try {
      return { probabilities: await detectLanguage(decoder, special, encoded, signal), weight: speech(fullest) };
    } finally {
      encoded.release();
    }
  });
  return voteLanguage(await Promise.all(votes), special.languages);
}

type StretchHearing = Hearing & {
  source: FeatureSource;
  spans: readonly Span[];
  /** Undefined: detected for each window. */
  language: string | undefined;
};

/** Hears a planned window, and again what of it was left; its segments in order. */
async function hearStretch(hearing: StretchHearing, planned: Window, signal: AbortSignal): Promise<SpeechSegment[]> {
  const { model, spans, plan } = hearing;
  const { hopSize, sampleRate } = model.features;
  const speechSeconds = (start: number, end: number) =>
    speechBetween(spans, start * sampleRate, end * sampleRate) / sampleRate;
  const queue: (Window & { isGap?: boolean })[] = [planned];
  const segments: SpeechSegment[] = [];
  for (let window = queue.shift(); window; window = queue.shift()) {
    for (const part of await hearBest(hearing, window, signal)) {
      const { segments: heard, heardUntil, covered, decoded } = part;
      // A gap may be one of the timestamps only, its words said beside it: a second hearing counts where nothing is in
      // doubt, and is not followed by a third. A model that doubts all it hears would else say all of it again.
      if (window.isGap && needsFallback(decoded, plan.thresholds)) continue;
      segments.push(...believe(hearing, part, heard, speechSeconds));
      if (window.isGap) continue;
      for (const gap of unheard(part, covered, heardUntil, hopSize / sampleRate)) {
        // What is heard again must have become shorter, and hold speech: else nothing would end.
        const spoken = speechSeconds((gap.start * hopSize) / sampleRate, (gap.end * hopSize) / sampleRate);
        const isGap = gap.start < heardUntil;
        const least = isGap ? UNHEARD_SECONDS : LEFT_OVER_SECONDS;
        if (gap.end - gap.start < part.end - part.start && spoken >= least) queue.push({ ...gap, isGap });
      }
    }
  }
  return segments.sort((a, b) => a.start - b.start);
}

/** The segments that the guards against invented text leave. */
function believe(
  { model, options }: StretchHearing,
  { start, end }: Window,
  segments: SpeechSegment[],
  speechSeconds: (start: number, end: number) => number,
): SpeechSegment[] {
  const { hopSize, sampleRate } = model.features;
  const { guards, vad } = options;
  const spoken = guards.silence && vad !== false ? dropSilent(segments, speechSeconds) : segments;
  if (!guards.anomalies) return spoken;
  const frameSeconds = hopSize / sampleRate;
  return dropAnomalies(spoken, start * frameSeconds, end * frameSeconds, vad === false ? undefined : speechSeconds);
}

/** A window with its text and figures. */
type Heard = Window & {
  segments: SpeechSegment[];
  /** Where the window's own timestamps place text, before words or guards had a say. */
  covered: readonly Timed[];
  heardUntil: number;
  decoded: DecodedWindow;
};
type Timed = { start: number; end: number };

/**
 * Hears a window. Where its text fails the thresholds, it is divided at a pause and heard in parts, which is of more
 * help to a model that the window is too much for than drawing at random; the parts stand if they are the more probable
 * text. What cannot be divided falls back to higher temperatures.
 */
async function hearBest(hearing: StretchHearing, window: Window, signal: AbortSignal): Promise<Heard[]> {
  const { plan, spans, model } = hearing;
  const cut = divide(window, spans, model.features);
  if (cut === undefined) return [await hearWindow(hearing, window, plan.temperatures, signal)];
  const whole = await hearWindow(hearing, window, plan.temperatures.slice(0, 1), signal);
  if (!needsFallback(whole.decoded, plan.thresholds)) return [whole];
  const halves = await Promise.all([
    hearBest(hearing, { start: window.start, end: cut }, signal),
    hearBest(hearing, { start: cut, end: window.end }, signal),
  ]);
  const parts = halves.flat();
  const limit = plan.thresholds.compressionRatio ?? Number.POSITIVE_INFINITY;
  const repeats = whole.decoded.looped || whole.decoded.compressionRatio > limit;
  return repeats || meanLogprob(parts) > meanLogprob([whole]) ? parts : [whole];
}

function meanLogprob(heard: readonly Heard[]): number {
  let [sum, tokens] = [0, 0];
  for (const { decoded } of heard) {
    const count = decoded.tokens.length + 1;
    sum += decoded.avgLogprob * count;
    tokens += count;
  }
  return sum / tokens;
}

/** The frame at which a window is best divided: in the middle of a pause, the longer and the nearer to the middle the better. */
function divide(window: Window, spans: readonly Span[], features: FeatureSettings): number | undefined {
  const { hopSize, sampleRate } = features;
  const [start, end] = [window.start * hopSize, window.end * hopSize];
  let best: { frame: number; score: number } | undefined;
  for (let i = 1; i < spans.length; i++) {
    const pause = spans[i].start - spans[i - 1].end;
    const middle = spans[i - 1].end + pause / 2;
    if (pause < SHORTEST_PAUSE_SECONDS * sampleRate || middle <= start || middle >= end) continue;
    const smaller = Math.min(speechBetween(spans, start, middle), speechBetween(spans, middle, end));
    if (smaller < SMALLEST_PART_SECONDS * sampleRate) continue;
    const score = pause * smaller;
    if (!best || score > best.score) best = { frame: Math.round(middle / hopSize), score };
  }
  return best?.frame;
}

/** The parts of a window that its segments leave out. */
function unheard(window: Window, covered: readonly Timed[], heardUntil: number, frameSeconds: number): Window[] {
  const gaps: Window[] = [];
  let from = window.start;
  const gapUntil = (to: number) => {
    if (to > from) gaps.push({ start: from, end: to });
  };
  for (const { start, end } of covered) {
    gapUntil(Math.min(heardUntil, Math.floor(start / frameSeconds)));
    from = Math.max(from, Math.ceil(end / frameSeconds));
  }
  gapUntil(heardUntil);
  from = Math.max(from, heardUntil);
  gapUntil(window.end);
  return gaps;
}

async function hearWindow(
  hearing: StretchHearing,
  { start, end }: Window,
  temperatures: readonly number[],
  signal: AbortSignal,
): Promise<Heard> {
  const { model, decoder, options, plan, source } = hearing;
  const { features, special } = model;
  const frames = end - start;
  const secondsOf = (frame: number) => (frame * features.hopSize) / features.sampleRate;
  const window = await decoder.encode(() => source.window(start, frames), signal);
  try {
    let { language } = hearing;
    if (language === undefined) {
      const probabilities = await detectLanguage(decoder, special, window, signal);
      language = voteLanguage([{ probabilities, weight: 1 }], special.languages).language;
    }
    const context = { position: start, language, previous: plan.promptTokens };
    const decoded = await decodeWindow(hearing, window, context, signal, temperatures);
    if (isSilence(decoded, plan.thresholds)) return { start, end, segments: [], covered: [], heardUntil: end, decoded };
    const { segments, advanceFrames } = placeSegments(model, decoded, start, frames);
    const heardUntil = Math.min(end, start + advanceFrames);
    const named = hearing.language === undefined ? segments.map((segment) => ({ ...segment, language })) : segments;
    if (!options.word_timestamps) return { start, end, segments: named, covered: segments, heardUntil, decoded };
    const timed = await timeWords(model, alignerOf(decoder, window, signal), {
      segments: named,
      startTokens: startTokens(model, language, options.task),
      language,
      startSeconds: secondsOf(start),
      contentFrames: frames,
      lastSpeech: secondsOf(start),
    });
    return { start, end, segments: timed.segments, covered: segments, heardUntil, decoded };
  } finally {
    window.release();
  }
}
