import { CONTEXT_AFTER } from "./context.ts";
import { ASSENTS, FILLERS, MONTHS, SPELLING_ALPHABET } from "./number-words.ts";
import { toUnits, type Unit } from "./units.ts";

/** Words that may stand before an entity and belong to it, or decide after it what it is. */
const PLAIN_WORDS = CONTEXT_AFTER + 2;

/** No entity is longer, in units: an address spelled letter by letter, with hesitation. */
const LONGEST = 120;

/**
 * The offset from which a text's end may still become, or decide, an entity once more text comes. What stands before
 * is settled.
 */
export function holdBackFrom(text: string): number {
  const units = toUnits(text);
  let at = Math.max(0, units.length - PLAIN_WORDS);
  const least = Math.max(0, units.length - LONGEST);
  while (at > least && mayBeInside(units[at - 1]!)) at -= 1;
  at = Math.max(0, at - PLAIN_WORDS);
  while (at > least && mayBeInside(units[at - 1]!)) at -= 1;
  return units[at]?.start ?? text.length;
}

function mayBeInside(unit: Unit): boolean {
  if (unit.kind !== "word") return true;
  const { value } = unit;
  return (
    value.length <= 2 ||
    unit.ordinal !== undefined ||
    /^[A-Z]+$/.test(unit.text) ||
    FILLERS.has(value) ||
    ASSENTS.has(value) ||
    MONTHS.has(value) ||
    SPELLING_ALPHABET.has(value) ||
    /^(double|triple|treble|hundred|thousand|nought|naught|nil|and|the|ext|extension)$/.test(value)
  );
}
