/** A piece of work in steps. */
export type Turn = {
  key: string;
  steps: AsyncGenerator<unknown, void, undefined>;
  /** Told when the work has ended: without error, or with what it threw. */
  ended: (error?: unknown) => void;
};

/** Runs several works by turns, a step of each at a time: a short one is done soon, however long the others are. */
export class TakeTurns {
  readonly #waiting: Turn[] = [];
  #running = false;
  readonly #resting: () => void;

  /** `resting` is called whenever nothing is left to do. */
  constructor(resting: () => void) {
    this.#resting = resting;
  }

  add(turn: Turn) {
    this.#waiting.push(turn);
    if (!this.#running) void this.#run();
  }

  /** Ends a work that waits for its turn; false where it is in the middle of a step, or unknown. */
  drop(key: string, error: unknown): boolean {
    const index = this.#waiting.findIndex((turn) => turn.key === key);
    if (index < 0) return false;
    const [turn] = this.#waiting.splice(index, 1);
    turn.steps.return().then(
      () => turn.ended(error),
      () => turn.ended(error),
    );
    return true;
  }

  async #run() {
    this.#running = true;
    for (let turn = this.#waiting.shift(); turn; turn = this.#waiting.shift()) {
      try {
        const { done } = await turn.steps.next();
        if (done) turn.ended();
        else this.#waiting.push(turn);
      } catch (error) {
        turn.ended(error);
      }
    }
    this.#running = false;
    this.#resting();
  }
}
