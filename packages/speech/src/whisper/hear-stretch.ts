import type { FeatureSource } from "../features/feature-source.ts";
import type { FeatureSettings } from "../features/log-mel.ts";
import type { SpeechSegment } from "../speech-events.ts";
import { type Span, speechBetween } from "../vad/find-speech.ts";
import { type Hearing, startTokens } from "./decode-attempt.ts";
import { decodeInContext } from "./decode-in-context.ts";
import type { DecodedWindow } from "./decode-window.ts";
import { isSilence, needsFallback, repeatsItself } from "./decode-with-fallback.ts";
import { detectLanguage, voteLanguage } from "./detect-language.ts";
import type { SpeechWindow, Window } from "./find-windows.ts";
import { dropAnomalies, dropSilent } from "./guards.ts";
import { placeSegments } from "./place-segments.ts";
import { alignerOf } from "./words/aligner-of.ts";
import { timeWords } from "./words/time-words.ts";

/** So much speech behind the last complete segment is heard again, in seconds. */
const LEFT_OVER_SECONDS = 0.5;
/** Windows are divided at pauses of this length, into parts with so much speech. */
const SHORTEST_PAUSE_SECONDS = 0.2;
const SMALLEST_PART_SECONDS = 1;

export type StretchHearing = Hearing & {
  source: FeatureSource;
  /** Undefined: detected for each window. */
  language: string | undefined;
  /** Tokens of what was said before, or of the prompt. */
  previous: readonly number[];
};

type WindowHearing = StretchHearing & { spans: readonly Span[] };

/** Hears a planned window, and again what follows its last complete segment; its segments in order. */
export async function hearStretch(
  stretch: StretchHearing,
  { spans, ...planned }: SpeechWindow,
  signal: AbortSignal,
): Promise<SpeechSegment[]> {
  const hearing = { ...stretch, spans };
  const { hopSize, sampleRate } = hearing.model.features;
  const speechSeconds = (start: number, end: number) =>
    speechBetween(spans, start * sampleRate, end * sampleRate) / sampleRate;
  const queue: Window[] = [planned];
  const segments: SpeechSegment[] = [];
  for (let window = queue.shift(); window; window = queue.shift()) {
    for (const part of await hearBest(hearing, window, signal)) {
      segments.push(...believe(hearing, part, speechSeconds));
      // What is heard again must have become shorter, and by more than a breath: else nothing would end, or not soon.
      const shortest = part.start + Math.ceil((LEFT_OVER_SECONDS * sampleRate) / hopSize);
      const rest = { start: Math.max(part.heardUntil, shortest), end: part.end };
      const spoken = speechSeconds((rest.start * hopSize) / sampleRate, (rest.end * hopSize) / sampleRate);
      if (spoken >= LEFT_OVER_SECONDS) queue.push(rest);
    }
  }
  return segments.sort((a, b) => a.start - b.start);
}

/** The segments that the guards against invented text leave. */
function believe(
  { model, options }: StretchHearing,
  { start, end, segments }: Heard,
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
  /** The frame behind the last complete segment. */
  heardUntil: number;
  decoded: DecodedWindow;
};

/**
 * Hears a window. Where its text fails the thresholds, it is divided at a pause and heard in parts, which is of more
 * help to a model that the window is too much for than drawing at random; the parts stand if they are the more probable
 * text. What cannot be divided falls back to higher temperatures.
 */
async function hearBest(hearing: WindowHearing, window: Window, signal: AbortSignal): Promise<Heard[]> {
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
  return repeatsItself(whole.decoded, plan.thresholds) || meanLogprob(parts) > meanLogprob([whole]) ? parts : [whole];
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
    const context = { position: start, language, previous: hearing.previous };
    const { decoded } = await decodeInContext(hearing, window, context, signal, temperatures);
    if (isSilence(decoded, plan.thresholds)) return { start, end, segments: [], heardUntil: end, decoded };
    const { segments, advanceFrames } = placeSegments(model, decoded, start, frames);
    const heardUntil = Math.min(end, start + advanceFrames);
    const named = hearing.language === undefined ? segments.map((segment) => ({ ...segment, language })) : segments;
    if (!options.word_timestamps) return { start, end, segments: named, heardUntil, decoded };
    const timed = await timeWords(model, alignerOf(decoder, window, signal), {
      segments: named,
      startTokens: startTokens(model, language, options.task),
      language,
      startSeconds: secondsOf(start),
      contentFrames: frames,
      lastSpeech: secondsOf(start),
    });
    return { start, end, segments: timed.segments, heardUntil, decoded };
  } finally {
    window.release();
  }
}
