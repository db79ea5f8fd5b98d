import type { Verdict } from "./stage/ledger.ts";
import type { Backend } from "./stage/open-stage.ts";

export interface RowOptions {
  backend: Backend;
  /** 1 is the whole load of the table; less for a quick look. */
  scale: number;
  /** With the default model and the sample's dialogue instead of the synthetic engine, 20 jobs. */
  real: boolean;
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
  /** Also run once with the real model. */
  withModel?: boolean;
  run(options: RowOptions): Promise<RowResult>;
}

/** `count` times the scale, at least `least`. */
export function scaled(count: number, { scale }: Pick<RowOptions, "scale">, least = 1): number {
  return Math.max(least, Math.round(count * scale));
}
