import type { SpeakerTurn } from "../turns.ts";
import { firstFrameOf, frameMiddle, frameTotal, LOCAL_SPEAKERS, WINDOW_FRAMES } from "./frames.ts";

/**
 * What windows found, in order of time: their first samples; who of its own three speaks in each, a byte a frame with a bit
 * for each, `[589]`; and which speaker of the file each of those is (−1: none), `[windows, 3]`.
 */
export type WindowFindings = {
  starts: readonly number[];
  activeIn: (window: number) => Uint8Array;
  speakers: Int8Array;
};

export type Reconstruction = { turns: SpeakerTurn[]; exclusive: SpeakerTurn[] };

/** Frames that are counted together, about ten minutes: memory does not grow with the recording but for the turns. */
const BLOCK_FRAMES = 36_000;

/**
 * Who speaks in the file, from overlapping windows: how many speak at a frame is the rounded mean of
 * what its windows say; who they are, those whom most windows name (as pyannote.audio 3.1 reconstructs). `exclusive`
 * names one at most.
 */
export function reconstruct(
  { starts, activeIn, speakers: named }: WindowFindings,
  speakers: number,
  blockFrames = BLOCK_FRAMES,
): Reconstruction {
  const total = speakers > 0 ? frameTotal(starts) : 0;
  const votes = new Uint16Array(blockFrames * speakers);
  const counts = new Uint16Array(blockFrames);
  const covering = new Uint16Array(blockFrames);
  const several = new OpenTurns(speakers);
  const one = new OpenTurns(speakers);
  let earliest = 0;
  for (let from = 0; from < total; from += blockFrames) {
    const to = Math.min(total, from + blockFrames);
    for (const sums of [votes, counts, covering]) sums.fill(0);
    while (firstFrameOf(starts[earliest]) + WINDOW_FRAMES <= from) earliest++;
    for (let w = earliest; w < starts.length && firstFrameOf(starts[w]) < to; w++) vote(w, from, to);
    for (let frame = from; frame < to; frame++) name(frame, frame - from);
  }
  return { turns: several.close(), exclusive: one.close() };

  function vote(window: number, from: number, to: number) {
    const first = firstFrameOf(starts[window]);
    const active = activeIn(window);
    const own = named.subarray(window * LOCAL_SPEAKERS, (window + 1) * LOCAL_SPEAKERS);
    for (let frame = Math.max(from, first); frame < Math.min(to, first + WINDOW_FRAMES); frame++) {
      const [at, bits] = [frame - from, active[frame - first]];
      covering[at]++;
      for (let l = 0; l < LOCAL_SPEAKERS; l++) {
        if (!((bits >> l) & 1)) continue;
        counts[at]++;
        // Two of the window's own may be one speaker of the file, who has one voice.
        const again = own.findIndex((other, i) => other === own[l] && ((bits >> i) & 1) === 1) < l;
        if (own[l] >= 0 && !again) votes[at * speakers + own[l]]++;
      }
    }
  }

  function name(frame: number, at: number) {
    const row = votes.subarray(at * speakers, (at + 1) * speakers);
    const wanted = roundHalfToEven(counts[at] / Math.max(1, covering[at]));
    for (let rank = 0; rank < wanted; rank++) {
      let best = 0;
      for (let s = 1; s < speakers; s++) if (row[s] > row[best]) best = s;
      if (row[best] === 0) break;
      several.speak(best, frame);
      if (rank === 0) one.speak(best, frame);
      row[best] = 0;
    }
  }
}

/** As numpy rounds: of two whole numbers equally near, the even one. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** Turns of speakers who are heard frame by frame. */
class OpenTurns {
  readonly #turns: SpeakerTurn[] = [];
  readonly #from: Int32Array;
  /** The frame behind the last in which each was heard. */
  readonly #to: Int32Array;

  constructor(speakers: number) {
    this.#from = new Int32Array(speakers).fill(-1);
    this.#to = new Int32Array(speakers).fill(-1);
  }

  speak(speaker: number, frame: number) {
    if (this.#to[speaker] !== frame) {
      this.#end(speaker);
      this.#from[speaker] = frame;
    }
    this.#to[speaker] = frame + 1;
  }

  /** All of them, by time. */
  close(): SpeakerTurn[] {
    for (let speaker = 0; speaker < this.#from.length; speaker++) this.#end(speaker);
    return this.#turns.sort((a, b) => a.start - b.start || a.speaker - b.speaker);
  }

  #end(speaker: number) {
    if (this.#from[speaker] < 0) return;
    this.#turns.push({ start: frameMiddle(this.#from[speaker]), end: frameMiddle(this.#to[speaker]), speaker });
  }
}
