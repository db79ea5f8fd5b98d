import { CEPSTRA } from "../features/cepstra.ts";
import type { SampleSource, Span, SpeakerBounds, SpeakerTurn } from "../turns.ts";
import { findChanges, type Piece } from "./find-changes.ts";
import { type CutSpeech, findCopies } from "./find-copies.ts";
import { FrameStatistics } from "./frame-statistics.ts";
import { joinAlike } from "./join-alike.ts";
import { mergeSpeakers } from "./merge-speakers.ts";
import { resegment } from "./resegment.ts";
import type { Chunk } from "./speech-frames.ts";
import { SpeechFrames } from "./speech-frames.ts";

const CHUNK_SECONDS = 600;
/** More clusters than this are not carried from one chunk to the joining of all. */
const CLUSTERS_PER_CHUNK = 24;
/** A pause of so many frames may be a change of speaker. */
const PAUSE_FRAMES = 25;
/** The beginning and end of what somebody says is quieter than a detector of speech hears. */
const PADDING_SECONDS = 0.1;

export type GaussianOptions = {
  /** So much speech is looked at together, and in memory at once. Default: ten minutes. */
  chunkSeconds?: number;
  /** Told the share done, 0…1, after each chunk. */
  progress?: (share: number) => void;
};

/**
 * Who speaks when, without any trained model: speech is cut where its spectrum changes, the pieces are joined while one
 * full-covariance Gaussian explains them as well as two, and the borders move to where mixtures of each speaker's frames
 * put them; whose mixtures are then alike are one. Files beyond ten minutes: each chunk first, then what was found in all. One speaker at a time.
 */
export async function diarizeByGaussians(
  source: SampleSource,
  speech: readonly Span[],
  bounds: SpeakerBounds,
  signal: AbortSignal,
  { chunkSeconds = CHUNK_SECONDS, progress = () => {} }: GaussianOptions = {},
): Promise<SpeakerTurn[]> {
  const frames = new SpeechFrames(source, speech, chunkSeconds);
  if (frames.count === 0) return [];
  const labels = new Uint8Array(frames.count);
  if (bounds.maxSpeakers > 1) {
    await labelFrames(frames, labels, bounds, signal, (share) => progress(0.4 * share));
    await resegment(frames, labels, signal, (share) => progress(0.4 + 0.3 * share));
    if (await joinAlike(frames, labels, bounds.minSpeakers, signal)) {
      await resegment(frames, labels, signal, (share) => progress(0.7 + 0.3 * share));
    }
  }
  return padTurns(turnsOf(frames, labels), source.sampleCount / 16_000);
}

type Part = { statistics: FrameStatistics; pieces: Piece[] };
/** Frames that were said before, about frame `like`. */
type Copy = Piece & { like: number };

async function labelFrames(
  frames: SpeechFrames,
  labels: Uint8Array,
  bounds: SpeakerBounds,
  signal: AbortSignal,
  progress: (share: number) => void,
) {
  const parts: Part[] = [];
  const copies: Copy[] = [];
  let firstSpeech: CutSpeech | undefined;
  for (const chunk of frames.chunks) {
    signal.throwIfAborted();
    progress(chunk.first / frames.count);
    const speech = cutSpeech(await frames.read(chunk), chunk);
    const fresh: Part[] = [];
    const again = firstSpeech && findCopies(speech, firstSpeech, CEPSTRA);
    const within = findCopies(speech, speech, CEPSTRA);
    speech.pieces.forEach((piece, i) => {
      const place = { from: chunk.first + piece.from, to: chunk.first + piece.to };
      if (again && again[i] >= 0) copies.push({ ...place, like: again[i] });
      else if (within[i] >= 0) copies.push({ ...place, like: chunk.first + within[i] });
      else fresh.push({ statistics: speech.statistics[i], pieces: [place] });
    });
    if (frames.chunks.length === 1) parts.push(...fresh);
    else {
      const clusters = {
        minSpeakers: Math.min(CLUSTERS_PER_CHUNK, bounds.maxSpeakers),
        maxSpeakers: CLUSTERS_PER_CHUNK,
      };
      parts.push(...join(fresh, clusters));
      // What repeats itself for hours is in the first chunk; to keep them all would be to keep the recording.
      firstSpeech ??= { ...speech, features: speech.features.slice() };
    }
  }
  join(parts, bounds).forEach(({ pieces }, speaker) => {
    for (const { from, to } of pieces) labels.fill(speaker, from, to);
  });
  for (const { from, to, like } of copies) labels.fill(labels[like], from, to);
}

function cutSpeech(features: Float32Array, chunk: Chunk): CutSpeech {
  const pieces = findChanges(features, CEPSTRA, pausesOf(chunk));
  return {
    features,
    pieces,
    statistics: pieces.map(({ from, to }) => FrameStatistics.of(features, CEPSTRA, from, to)),
  };
}

function join(parts: readonly Part[], bounds: SpeakerBounds): Part[] {
  const speakers = mergeSpeakers(
    parts.map(({ statistics }) => statistics),
    CEPSTRA,
    bounds,
  );
  const joined = new Map<number, Part>();
  parts.forEach((part, i) => {
    const before = joined.get(speakers[i]);
    if (!before) joined.set(speakers[i], part);
    else {
      before.pieces.push(...part.pieces);
      joined.set(speakers[i], { statistics: before.statistics.plus(part.statistics), pieces: before.pieces });
    }
  });
  return [...joined.values()];
}

function pausesOf({ runs }: Chunk): number[] {
  return runs
    .filter(({ start }, i) => i > 0 && start - (runs[i - 1].start + runs[i - 1].count) >= PAUSE_FRAMES)
    .map(({ offset }) => offset);
}

function turnsOf(frames: SpeechFrames, labels: Uint8Array): SpeakerTurn[] {
  const turns: SpeakerTurn[] = [];
  for (const { first, runs } of frames.chunks) {
    for (const { start, count, offset } of runs) {
      for (let from = 0; from < count; ) {
        const speaker = labels[first + offset + from];
        let to = from + 1;
        while (to < count && labels[first + offset + to] === speaker) to++;
        turns.push({ start: (start + from) / 100, end: (start + to) / 100, speaker });
        from = to;
      }
    }
  }
  return turns;
}

/** Turns reach out by a tenth of a second, at most half-way to the next. */
function padTurns(turns: readonly SpeakerTurn[], durationSeconds: number): SpeakerTurn[] {
  return turns.map((turn, i) => {
    const before = turns[i - 1]?.end ?? Number.NEGATIVE_INFINITY;
    const after = turns[i + 1]?.start ?? Number.POSITIVE_INFINITY;
    return {
      ...turn,
      start: Math.max(0, turn.start - PADDING_SECONDS, (before + turn.start) / 2),
      end: Math.min(durationSeconds, turn.end + PADDING_SECONDS, (after + turn.end) / 2),
    };
  });
}
