/** Whose request it is, and how urgent: lower first. */
export type Standing = { tenant?: string | undefined; priority?: number | undefined };

/** One request among those that share a model. */
export type Lane = {
  readonly key: string;
  readonly order: number;
  readonly standing: Standing;
  /** Windows under way. */
  held: number;
  /** When the last one of them began, counted in windows of all. */
  turn: number;
};

/** Who has how many windows under way, and so who is next. */
export class FairShares {
  readonly #tenants = new Map<string | undefined, number>();
  #lanes = 0;
  #turns = 0;
  #held = 0;

  /** Windows under way, of all. */
  get held(): number {
    return this.#held;
  }

  enter(key: string, standing: Standing): Lane {
    return { key, order: this.#lanes++, standing, held: 0, turn: 0 };
  }

  /** A window of a request begins. */
  take(lane: Lane) {
    lane.turn = ++this.#turns;
    this.#count(lane, 1);
  }

  /** A window of a request has ended. */
  give(lane: Lane) {
    this.#count(lane, -1);
  }

  /**
   * Index of the task to be served next: by priority; then that of the tenant, and of its requests the one, with the fewest
   * windows under way; then of the request that has waited longest for a turn, then of the oldest.
   */
  fairest(tasks: readonly { lane: Lane }[]): number {
    let [best, least] = [0, this.#rank(tasks[0].lane)];
    for (let i = 1; i < tasks.length; i++) {
      const own = this.#rank(tasks[i].lane);
      const difference = own.map((value, at) => value - least[at]).find((value) => value !== 0) ?? 0;
      if (difference < 0) [best, least] = [i, own];
    }
    return best;
  }

  #rank({ standing, held, turn, order }: Lane): number[] {
    return [standing.priority ?? 0, this.#tenants.get(standing.tenant) ?? 0, held, turn, order];
  }

  #count(lane: Lane, by: number) {
    const { tenant } = lane.standing;
    const held = (this.#tenants.get(tenant) ?? 0) + by;
    if (held === 0) this.#tenants.delete(tenant);
    else this.#tenants.set(tenant, held);
    lane.held += by;
    this.#held += by;
  }
}
