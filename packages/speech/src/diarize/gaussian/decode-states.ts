export type StateCosts = {
  states: number;
  /** Frames that each visit of a state lasts at least; one that the end cuts short may be shorter. */
  minimumFrames: number;
  /** What a change of state costs. */
  changeCost: number;
};

/**
 * The likeliest sequence of states over frames, each visit lasting at least so long (Viterbi over chains of states).
 * Its memory, twenty bytes a frame, is kept from one sequence to the next.
 */
export class StateDecoder {
  readonly #costs: StateCosts;
  /** For each number of frames: the best score of those when a visit ends there; the visit's state and beginning. */
  #best = new Float64Array(0);
  #state = new Int32Array(0);
  #start = new Int32Array(0);
  #path = new Int32Array(0);

  constructor(costs: StateCosts) {
    this.#costs = costs;
  }

  /** `scores [frames, states]` are log-likelihoods. Returns `[frames]`, which lasts until the next call. */
  decode(scores: Float32Array): Int32Array {
    const { states, minimumFrames, changeCost } = this.#costs;
    const frames = states > 0 ? scores.length / states : 0;
    this.#makeRoom(frames);
    const path = this.#path.subarray(0, frames).fill(0);
    if (frames === 0 || states === 1) return path;
    // The scores of all frames before t, for the last t: a visit begins at most so long after it could end.
    const rows = Math.min(frames, Math.max(minimumFrames, 1)) + 1;
    const cumulative = new Float64Array(rows * states);
    const [best, state, start] = [this.#best, this.#state, this.#start];
    best.fill(Number.NEGATIVE_INFINITY);
    best[0] = 0;
    // For each state the best beginning so far: best[b] − cumulative up to b
    const opening = new Float64Array(states).fill(Number.NEGATIVE_INFINITY);
    const openedAt = new Int32Array(states);
    const open = (b: number) => {
      if (best[b] === Number.NEGATIVE_INFINITY) return;
      const cost = b === 0 ? 0 : changeCost;
      for (let s = 0; s < states; s++) {
        const value = best[b] - cost - cumulative[(b % rows) * states + s];
        if (value > opening[s]) [opening[s], openedAt[s]] = [value, b];
      }
    };
    for (let t = 1; t <= frames; t++) {
      const atEnd = t === frames;
      const [row, before] = [(t % rows) * states, ((t - 1) % rows) * states];
      for (let s = 0; s < states; s++) cumulative[row + s] = cumulative[before + s] + scores[(t - 1) * states + s];
      for (let b = t - minimumFrames; atEnd && b >= 0 && b < t; b++) open(b);
      if (!atEnd && t - minimumFrames >= 0) open(t - minimumFrames);
      for (let s = 0; s < states; s++) {
        const score = opening[s] + cumulative[row + s];
        if (score > best[t]) [best[t], state[t], start[t]] = [score, s, openedAt[s]];
      }
    }
    for (let t = frames; t > 0; t = start[t]) path.fill(state[t], start[t], t);
    return path;
  }

  #makeRoom(frames: number): void {
    if (this.#path.length >= frames && this.#best.length > frames) return;
    this.#best = new Float64Array(frames + 1);
    this.#state = new Int32Array(frames + 1);
    this.#start = new Int32Array(frames + 1);
    this.#path = new Int32Array(frames);
  }
}
