import { CONTEXT_BEFORE, distanceBefore, standsAfter } from "./context.ts";
import type { Entity } from "./entity.ts";
import { MONTHS } from "./number-words.ts";
import type { Unit } from "./units.ts";

const NAMED = new Set(["born", "birth", "birthday", "birthdate", "dob", "birthdays"]);

const NEAR = 5;

/** Dates of which speech says that somebody was born then; other dates stay. */
export function findBirthDates(units: readonly Unit[], thisYear: number = new Date().getUTCFullYear()): Entity[] {
  const found: Entity[] = [];
  for (let at = 0; at < units.length; at++) {
    const last = readDate(units, at, thisYear);
    if (last === null) continue;
    // A day without its year is of somebody's birth only where that is said right before it.
    const near = hasYear(units, at, last) ? CONTEXT_BEFORE : NEAR;
    const named = distanceBefore(units, at, NAMED) <= near || standsAfter(units, last, NAMED);
    if (named) found.push({ type: "date_of_birth", start: units[at]!.start, end: units[last]!.end });
    at = last;
  }
  return found;
}

/** More than a month and a day. */
function hasYear(units: readonly Unit[], from: number, to: number): boolean {
  return units.slice(from, to + 1).filter(({ kind, ordinal }) => kind === "digits" || ordinal !== undefined).length > 1;
}

type Read = { value: number; last: number };

/** The place of the last unit of a date that begins here and that the calendar has, or null. */
function readDate(units: readonly Unit[], at: number, thisYear: number): number | null {
  return readNumeric(units, at, thisYear) ?? readNamed(units, at, thisYear);
}

function readNumeric(units: readonly Unit[], at: number, thisYear: number): number | null {
  const [a, b] = [readNumber(units, at), readNumber(units, skipSeparator(units, at + 1))];
  if (a === null || b === null || units[at - 1]?.value === "/") return null;
  if (String(units[at]!.value).length === 4) {
    const day = readNumber(units, skipSeparator(units, b.last + 1));
    return day && isYear(a.value, thisYear) && isDay(b.value, day.value) ? day.last : null;
  }
  const year = readYear(units, skipSeparator(units, b.last + 1), thisYear);
  if (year === null) return null;
  return isDay(a.value, b.value) || isDay(b.value, a.value) ? year.last : null;
}

function readNamed(units: readonly Unit[], at: number, thisYear: number): number | null {
  const month = MONTHS.get(units[at]!.value);
  if (month !== undefined) {
    let next = at + 1;
    if (units[next]?.value === "." || units[next]?.value === "the") next += 1;
    const day = readDay(units, next);
    if (day === null || !isDay(month, day.value)) {
      return readYear(units, units[next]?.value === "of" ? next + 1 : next, thisYear)?.last ?? null;
    }
    return readYear(units, skipComma(units, day.last + 1), thisYear)?.last ?? day.last;
  }
  const day = readDay(units, at);
  if (day === null) return null;
  let next = day.last + 1;
  if (units[next]?.value === "." && units[next + 1]?.gap) next += 1;
  if (units[next]?.value === "of") next += 1;
  const named = units[next] && MONTHS.get(units[next]!.value);
  if (named === undefined || !isDay(named, day.value)) return null;
  return readYear(units, skipComma(units, next + 1), thisYear)?.last ?? next;
}

const readNumber = (units: readonly Unit[], at: number): Read | null =>
  units[at]?.kind === "digits" && units[at]!.value.length <= 4 ? { value: Number(units[at]!.value), last: at } : null;

function readDay(units: readonly Unit[], at: number): Read | null {
  const unit = units[at];
  if (unit?.ordinal !== undefined) return { value: unit.ordinal, last: at };
  return unit?.kind === "digits" && unit.value.length <= 2 ? { value: Number(unit.value), last: at } : null;
}

/** `1985`, `85`, `nineteen eighty five`, `two thousand and five`. */
function readYear(units: readonly Unit[], at: number, thisYear: number): Read | null {
  const unit = units[at];
  if (unit?.kind !== "digits") return null;
  const next = units[at + 1];
  if (unit.spoken && /^(19|20)$/.test(unit.value) && next?.kind === "digits" && next.value.length <= 2) {
    const [last, tail] =
      next.value === "0" && units[at + 2]?.kind === "digits" ? [at + 2, units[at + 2]!.value] : [at + 1, next.value];
    const value = Number(unit.value) * 100 + Number(tail);
    return isYear(value, thisYear) ? { value, last } : null;
  }
  if (unit.value.length === 2) return { value: Number(unit.value), last: at };
  return unit.value.length === 4 && isYear(Number(unit.value), thisYear)
    ? { value: Number(unit.value), last: at }
    : null;
}

function skipSeparator(units: readonly Unit[], at: number): number {
  const unit = units[at];
  return unit?.kind === "sign" && "/.-".includes(unit.value) ? at + 1 : skipComma(units, at);
}

const skipComma = (units: readonly Unit[], at: number): number =>
  units[at]?.value === "," || units[at]?.value === "'" || units[at]?.value === "’" ? at + 1 : at;

const isYear = (year: number, thisYear: number): boolean => year >= 1900 && year <= thisYear;

function isDay(month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  // The 29th of February is a birthday, too.
  return day <= new Date(Date.UTC(2024, month, 0)).getUTCDate();
}
