import type { Stage } from "./stage/open-stage.ts";

/** What an attack came to. */
export interface Finding {
  /** How many of what it counts: addresses, files, requests. */
  count: number;
  /** What was seen, in the words of the table. */
  seen: string;
  /** Each thing that did not hold; none: the wall held. */
  broken: string[];
}

export interface Attack {
  name: string;
  what: string;
  mustHold: string;
  run(stage: Stage): Promise<Finding>;
}

/** Remembers the first few of what broke, and how many there were. */
export class Broken {
  readonly list: string[] = [];
  count = 0;

  add(what: string): void {
    this.count += 1;
    if (this.list.length < 20) this.list.push(what.slice(0, 600));
  }
}
