import type { Stage } from "./stage.ts";

/** One thing that a client's users do. Throws where it does not hold. */
export interface Row {
  client: string;
  feature: string;
  /** Needs a recording of sixty minutes. */
  hour?: boolean;
  run(stage: Stage): Promise<void>;
}

export interface RowResult extends Pick<Row, "client" | "feature"> {
  seconds: number;
  /** Why it did not hold, or null. */
  failure: string | null;
}
