import {
  type Engine,
  type EngineCheckpoint,
  type EngineEvent,
  type EngineRequest,
  type EngineSegment,
  type PcmAudio,
  speakerOfChannel,
} from "@scribe/domain";

/** A channel of a recording, decoded to a file of its own. */
export interface Channel {
  index: number;
  audio: PcmAudio;
}

type Transcriber = Pick<Engine, "transcribe">;
type Language = { language: string | null; languageProbability: number | null; characters: number };

/** How far the channels are: those before `at` are done, `engine` is the checkpoint of that one. */
interface Place {
  at: number;
  languages: Language[];
  engine: EngineCheckpoint | null;
}

/**
 * An engine that hears the channels one after the other, each as a speaker. Its checkpoint carries the channel, and
 * `processedSeconds` and `totalSeconds` go over all of them. The language is that of most that was said; each segment
 * has its channel's.
 */
export function transcribeChannels(engine: Transcriber, channels: readonly Channel[]): Transcriber {
  return { transcribe: (request, signal) => transcribeEach(engine, channels, request, signal) };
}

async function* transcribeEach(
  engine: Transcriber,
  channels: readonly Channel[],
  request: EngineRequest,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  let place = readPlace(request.resume, channels.length);
  if (request.resume && !place) yield { type: "restart" };
  place ??= { at: 0, languages: [], engine: null };
  let wordsMethod: string | undefined;
  while (place.at < channels.length) {
    const { at, languages }: Place = place;
    const { index, audio } = channels[at]!;
    const own: Language = { ...NOT_HEARD, ...languages[at] };
    let startedAgain = false;
    const asked = { ...request, audio, options: { ...request.options, diarize: false }, resume: place.engine };
    for await (const event of engine.transcribe(asked, signal)) {
      if (event.type === "restart") {
        yield event;
        // The channels before were heard by the same model, or with the same options, as this one was: by others.
        startedAgain = at > 0;
        if (startedAgain) break;
        own.characters = 0;
      } else if (event.type === "language") {
        own.language = event.language;
        own.languageProbability = event.probability;
        const { language, languageProbability } = mostSpoken([...languages.slice(0, at), own]);
        yield { type: "language", language: language ?? event.language, probability: languageProbability };
      } else if (event.type === "window") {
        const segments = event.segments.map((segment) => label(segment, index, own.language));
        own.characters += segments.reduce((sum, { text }) => sum + text.length, 0);
        const state: Place = { at, languages: [...languages.slice(0, at), { ...own }], engine: event.checkpoint };
        const share = event.totalSeconds > 0 ? event.processedSeconds / event.totalSeconds : 1;
        const processedSeconds = (at + share) * audio.durationSeconds;
        yield {
          type: "window",
          segments,
          processedSeconds,
          totalSeconds: channels.length * audio.durationSeconds,
          checkpoint: { fingerprint: fingerprintOf(channels.length), processedSeconds, state },
        };
      } else if (event.type === "done") {
        wordsMethod ??= event.wordsMethod;
        own.language ??= event.language;
        own.languageProbability ??= event.languageProbability;
      } else yield event;
    }
    place = startedAgain
      ? { at: 0, languages: [], engine: null }
      : { at: at + 1, languages: [...languages.slice(0, at), own], engine: null };
  }
  const { language, languageProbability } = mostSpoken(place.languages);
  yield { type: "done", language, languageProbability, ...(wordsMethod && { wordsMethod }) };
}

const NOT_HEARD: Language = { language: null, languageProbability: null, characters: 0 };

const fingerprintOf = (channels: number) => `channels-1:${channels}`;

function mostSpoken(languages: readonly Language[]): Language {
  const [most] = [...languages].sort((a, b) => b.characters - a.characters);
  return most ?? NOT_HEARD;
}

function label(segment: EngineSegment, channel: number, language: string | null): EngineSegment {
  const speaker = speakerOfChannel(channel);
  const { words } = segment;
  return {
    ...segment,
    speaker,
    channel,
    ...(segment.language === undefined && language !== null && { language }),
    ...(words && { words: words.map((word) => ({ ...word, speaker })) }),
  };
}

/** What an earlier attempt left; the engine judges the part of it that is its own. */
function readPlace(resume: EngineCheckpoint | null, channels: number): Place | null {
  if (resume?.fingerprint !== fingerprintOf(channels)) return null;
  const { at, languages, engine } = resume.state as Place;
  return { at, languages, engine };
}
