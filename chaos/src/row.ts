import type { Verdict } from "./stage/ledger.ts";
import type { Backend } from "./stage/open-stage.ts";

export interface RowOptions {
  backend: Backend;
  /** 1 is the whole load of the table; less for a quick look. */
  scale: number;
  log: (line: string) => void;
}

export interface RowResult extends Verdict {
  faults: number;
  /** What was measured beside, in words. */
  notes: string[];
}

/** One row of the table: a fault, a load, and what must hold. */
export interface Row {
  number: number;
  fault: string;
  /** Also run where BullMQ is on Postgres. */
  onPostgres?: boolean;
  run(options: RowOptions): Promise<RowResult>;
}

/** `count` times the scale, at least `least`. */
export function scaled(count: number, { scale }: Pick<RowOptions, "scale">, least = 1): number {
  return Math.max(least, Math.round(count * scale));
}
