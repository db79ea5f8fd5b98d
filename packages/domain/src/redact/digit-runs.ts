import { ASSENTS, FILLERS } from "./number-words.ts";
import type { Unit } from "./units.ts";

/** Digits that stand together, with what separates them from the group before. */
export interface Group {
  digits: string;
  /** Places of its unit in the list of units. */
  at: number;
  start: number;
  end: number;
  spoken: boolean;
  /** `strong`: the end of a sentence, or the other side's assent. */
  separator: "none" | "space" | "dash" | "dot" | "slash" | "strong";
}

export interface DigitRun {
  groups: Group[];
  /** Offset of a `+` or `(` that belongs to it, else of the first group. */
  start: number;
  plus: boolean;
}

/** All maximal runs of digit groups. What stands between two groups is little: a space, a dash, a sound of hesitation. */
export function findRuns(units: readonly Unit[]): DigitRun[] {
  const runs: DigitRun[] = [];
  for (let at = 0; at < units.length; at++) {
    if (units[at]!.kind !== "digits") continue;
    const groups: Group[] = [toGroup(units[at]!, at, "none")];
    let last = at;
    for (;;) {
      const next = readSeparator(units, last + 1);
      if (next === null) break;
      groups.push(toGroup(units[next.at]!, next.at, next.separator));
      last = next.at;
    }
    runs.push({ groups, ...openingOf(units, at) });
    at = last;
  }
  return runs;
}

function toGroup(unit: Unit, at: number, separator: Group["separator"]): Group {
  return { digits: unit.value, at, start: unit.start, end: unit.end, spoken: unit.spoken, separator };
}

function openingOf(units: readonly Unit[], at: number): Pick<DigitRun, "start" | "plus"> {
  let [start, plus] = [units[at]!.start, false];
  for (let i = at - 1; i >= Math.max(0, at - 2); i--) {
    const { value } = units[i]!;
    if (value === "+" && !plus) plus = true;
    else if (value !== "(") break;
    start = units[i]!.start;
  }
  return { start, plus };
}

/** At most so many pieces stand between two groups of one run. */
const MOST_BETWEEN = 5;

function readSeparator(units: readonly Unit[], from: number): { at: number; separator: Group["separator"] } | null {
  let separator: Group["separator"] = "space";
  for (let at = from; at < units.length && at <= from + MOST_BETWEEN; at++) {
    const unit = units[at]!;
    if (unit.kind === "digits") return { at, separator };
    if (unit.kind === "sign" && unit.value === "-") separator = "dash";
    else if (unit.kind === "sign" && unit.value === "/") separator = "slash";
    else if (unit.value === ".") {
      const inside = unit.spoken || units[at + 1]?.gap === false;
      if (separator !== "strong") separator = inside ? "dot" : "strong";
    } else if (unit.value === ",") {
      // `1,234,567` is a count.
      if (units[at + 1]?.gap === false) return null;
    } else if (FILLERS.has(unit.value) || unit.value === "(" || unit.value === ")") continue;
    else if (ASSENTS.has(unit.value) || unit.value === "…" || unit.value === "?") separator = "strong";
    else return null;
  }
  return null;
}

export const digitsOf = (groups: readonly Group[]): string => groups.map(({ digits }) => digits).join("");

/** The run in pieces, cut where a strong separator stands. */
export function cutAtStrong({ groups, start, plus }: DigitRun): DigitRun[] {
  const runs: DigitRun[] = [];
  for (const group of groups) {
    const last = runs.at(-1);
    if (last === undefined) runs.push({ groups: [group], start, plus });
    else if (group.separator === "strong") runs.push({ groups: [group], start: group.start, plus: false });
    else last.groups.push(group);
  }
  return runs;
}
