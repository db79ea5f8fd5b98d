import { type DigitRun, digitsOf } from "./digit-runs.ts";
import type { Entity } from "./entity.ts";

/** Lengths that a network issues, by the first digits: ISO/IEC 7812 and the networks' own ranges. */
function fitsNetwork(digits: string): boolean {
  const length = digits.length;
  const first = (count: number) => Number(digits.slice(0, count));
  if (digits[0] === "4") return length === 13 || length === 16 || length === 19;
  if ((first(2) >= 51 && first(2) <= 55) || (first(4) >= 2221 && first(4) <= 2720)) return length === 16;
  if (first(2) === 34 || first(2) === 37) return length === 15;
  if (first(2) === 36 || first(2) === 38 || (first(3) >= 300 && first(3) <= 305)) return length >= 14 && length <= 19;
  if (first(2) === 35) return length >= 16;
  if (first(4) === 6011 || first(2) === 65 || (first(3) >= 644 && first(3) <= 649)) return length >= 16;
  if (first(2) === 62 || first(2) === 81) return length >= 16;
  return first(2) === 50 || (first(2) >= 56 && first(2) <= 69);
}

/** The check digit of payment cards (ISO/IEC 7812-1, annex B). */
function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1, double = false; at >= 0; at--, double = !double) {
    const digit = Number(digits[at]);
    sum += double ? (digit >= 5 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return sum % 10 === 0;
}

const SHORTEST = 13;
const LONGEST = 19;

/** Cards in a run: whole groups, leftmost first, the longest that its network and its check digit allow. */
export function findCards({ groups }: DigitRun): Entity[] {
  const found: Entity[] = [];
  for (let from = 0; from < groups.length; from++) {
    let best = -1;
    for (let to = from, length = 0; to < groups.length; to++) {
      length += groups[to]!.digits.length;
      if (length > LONGEST) break;
      // A slash is of a date or a fraction, never inside a card.
      if (to > from && groups[to]!.separator === "slash") break;
      if (length < SHORTEST) continue;
      const digits = digitsOf(groups.slice(from, to + 1));
      if (fitsNetwork(digits) && passesLuhn(digits) && !/^(.)\1*$/.test(digits)) best = to;
    }
    if (best < 0) continue;
    found.push({ type: "card", start: groups[from]!.start, end: groups[best]!.end });
    from = best;
  }
  return found;
}
