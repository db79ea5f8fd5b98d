import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects garbage: young objects only (`minor`), or all. */
export type Collect = (options: { type: "minor" | "major" }) => void;

/** V8's collector, without `--expose-gc` on the command line. */
export function openCollector(): Collect {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collect;
}
