import type { Unit } from "./units.ts";

/** How far a word may stand from what it speaks of, in units. */
export const CONTEXT_BEFORE = 10;
export const CONTEXT_AFTER = 6;

/** The distance (from 1) of the nearest of these words before a place; infinite where there is none. */
export function distanceBefore(
  units: readonly Unit[],
  at: number,
  words: ReadonlySet<string>,
  most = CONTEXT_BEFORE,
): number {
  for (let distance = 1; distance <= most; distance++) {
    const unit = units[at - distance];
    if (unit === undefined) break;
    if (words.has(unit.value)) return distance;
  }
  return Number.POSITIVE_INFINITY;
}

/** Whether one of these words stands shortly after a place, in the same sentence. */
export function standsAfter(units: readonly Unit[], at: number, words: ReadonlySet<string>): boolean {
  for (let distance = 1; distance <= CONTEXT_AFTER; distance++) {
    const unit = units[at + distance];
    if (unit === undefined || (unit.value === "." && !unit.spoken)) return false;
    if (words.has(unit.value)) return true;
  }
  return false;
}
