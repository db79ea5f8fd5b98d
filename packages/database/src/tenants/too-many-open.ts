/** A tenant has as many of these under way as it may have. */
export class TooManyOpen extends Error {
  override readonly name = "TooManyOpen";
  readonly what: "uploads" | "enhancements";
  readonly limit: number;

  constructor(what: "uploads" | "enhancements", limit: number) {
    super(`The tenant has ${limit} open ${what}.`);
    this.what = what;
    this.limit = limit;
  }
}

/** First part of the locks' names; the tenant is the second. Until the transaction ends, no other is counted. */
export const OPEN_LOCKS = { uploads: 7_204_521, enhancements: 7_204_522 } as const;
