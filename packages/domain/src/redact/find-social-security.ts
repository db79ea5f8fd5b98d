import { CONTEXT_BEFORE, distanceBefore, standsAfter } from "./context.ts";
import { type DigitRun, digitsOf, type Group } from "./digit-runs.ts";
import type { Entity } from "./entity.ts";
import type { Unit } from "./units.ts";

const NAMED = new Set(["social", "ssn", "ssns", "security"]);

/** Printed on a sample card and in an advertisement, and withdrawn for it. */
const WITHDRAWN = new Set(["078051120", "219099999"]);

/** Numbers that the Social Security Administration assigns: no area 000, 666 or 900–999, no group 00, no serial 0000. */
function isSocialSecurityNumber(digits: string): boolean {
  if (!/^[0-9]{9}$/.test(digits) || WITHDRAWN.has(digits)) return false;
  const area = digits.slice(0, 3);
  if (area === "000" || area === "666" || area[0] === "9") return false;
  return digits.slice(3, 5) !== "00" && digits.slice(5) !== "0000";
}

/** Three, two and four digits, or nine where speech names what they are. */
export function findSocialSecurity(units: readonly Unit[], { groups }: DigitRun): Entity[] {
  const whole = (from: number, to: number): Entity => ({
    type: "ssn",
    start: groups[from]!.start,
    end: groups[to]!.end,
  });
  const parts = joinUndashed(groups);
  const lengths = parts.map(({ digits }) => digits.length).join("-");
  if (lengths === "3-2-4" || groups.map(({ digits }) => digits.length).join("-") === "3-2-4") {
    return isSocialSecurityNumber(digitsOf(groups)) ? [whole(0, groups.length - 1)] : [];
  }
  const [first, last] = [groups[0]!, groups.at(-1)!];
  const named = distanceBefore(units, first.at, NAMED) <= CONTEXT_BEFORE || standsAfter(units, last.at, NAMED);
  return named && isSocialSecurityNumber(digitsOf(groups)) ? [whole(0, groups.length - 1)] : [];
}

/** `1 2 3 - 4 5 - 6 7 8 9`: the dashes say which digits belong together. */
function joinUndashed(groups: readonly Group[]): { digits: string }[] {
  const parts: { digits: string }[] = [];
  for (const group of groups) {
    const last = parts.at(-1);
    if (last === undefined || group.separator === "dash") parts.push({ digits: group.digits });
    else last.digits += group.digits;
  }
  return parts;
}
