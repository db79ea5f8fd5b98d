import { ORDINALS, REPEATS, SAID_FOR_ZERO, SIGN_NAMES, SMALL_NUMBERS, TENS } from "./number-words.ts";

/**
 * A piece of text with what it stands for, however it is written: digits for `4111`, `four` and `double five`, a sign
 * for `.` and `dot`, else a word (or letters and digits mixed). Offsets are UTF-16 units of the text.
 */
export interface Unit {
  kind: "digits" | "sign" | "word" | "mixed" | "mark";
  /** Digits, the sign, or the lower-case word. */
  value: string;
  /** As it stands in the text. */
  text: string;
  start: number;
  end: number;
  /** White space stands before it. */
  gap: boolean;
  /** A word that was turned into digits or a sign. */
  spoken: boolean;
  /** Of `fifth` and `5th`. */
  ordinal?: number;
}

// One class a branch, so the expression never looks back; marks are single characters.
const TOKEN = /[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]/gu;
const DASHES = /^[-‐-―−]$/u;

export function toUnits(text: string): Unit[] {
  return foldNumbers(readTokens(text));
}

function readTokens(text: string): Unit[] {
  const tokens: Unit[] = [];
  let before = 0;
  for (const match of text.matchAll(TOKEN)) {
    const raw = match[0];
    const start = match.index;
    const end = start + raw.length;
    const place = { text: raw, start, end, gap: start > before || start === 0 };
    before = end;
    const value = raw.toLowerCase();
    if (/^[0-9]+$/.test(raw)) tokens.push({ ...place, kind: "digits", value: raw, spoken: false });
    else if (DASHES.test(raw)) tokens.push({ ...place, kind: "sign", value: "-", spoken: false });
    else if (/^[.@_+/:]$/.test(raw)) tokens.push({ ...place, kind: "sign", value: raw, spoken: false });
    else if (/^[\p{L}\p{M}\p{N}]/u.test(raw)) tokens.push(readWord(place, value));
    else tokens.push({ ...place, kind: "mark", value: raw, spoken: false });
  }
  return tokens;
}

function readWord(place: Pick<Unit, "text" | "start" | "end" | "gap">, value: string): Unit {
  const sign = SIGN_NAMES.get(value);
  if (sign !== undefined) return { ...place, kind: "sign", value: sign, spoken: true };
  const ordinal = ORDINALS.get(value) ?? writtenOrdinal(value);
  const kind = /[0-9]/.test(value) ? "mixed" : "word";
  return { ...place, kind, value, spoken: false, ...(ordinal !== undefined && { ordinal }) };
}

function writtenOrdinal(value: string): number | undefined {
  const match = /^([0-9]{1,2})(?:st|nd|rd|th)$/.exec(value);
  return match ? Number(match[1]) : undefined;
}

/** Number words become digits: `twenty one` 21, `double five` 55, `eight hundred` 800, `two thousand and five` 2005. */
function foldNumbers(tokens: readonly Unit[]): Unit[] {
  const units: Unit[] = [];
  for (let at = 0; at < tokens.length; ) {
    const read = readNumber(tokens, at, units.at(-1));
    if (read === null) {
      units.push(tokens[at]!);
      at += 1;
      continue;
    }
    const [first, last] = [tokens[at]!, tokens[at + read.taken - 1]!];
    const text = first === last ? first.text : `${first.text} ${last.text}`;
    const ordinal = read.ordinal === undefined ? {} : { ordinal: read.ordinal };
    const kind = read.ordinal === undefined ? "digits" : "word";
    units.push({
      kind,
      value: read.value,
      text,
      start: first.start,
      end: last.end,
      gap: first.gap,
      spoken: true,
      ...ordinal,
    });
    at += read.taken;
  }
  return units;
}

interface ReadNumber {
  value: string;
  taken: number;
  ordinal?: number;
}

function readNumber(tokens: readonly Unit[], at: number, before: Unit | undefined): ReadNumber | null {
  const first = tokens[at]!;
  if (first.kind === "digits") {
    // `8 hundred`, as some write what they hear.
    return /^[1-9]$/.test(first.value)
      ? readMultiple(tokens, at, { value: Number(first.value), taken: 1 }, false)
      : null;
  }
  if (first.kind !== "word") return null;
  const repeat = REPEATS.get(first.value);
  if (repeat !== undefined) {
    const next = tokens[at + 1];
    const digit = next && digitOf(next);
    return digit === undefined ? null : { value: digit.repeat(repeat), taken: 2 };
  }
  if (SAID_FOR_ZERO.has(first.value)) {
    return isDigitsNear(before) || startsDigits(tokens, at + 1) ? { value: "0", taken: 1 } : null;
  }
  const simple = readBelowHundred(tokens, at);
  if (simple === null) return null;
  if ("ordinal" in simple) return { value: first.value, taken: simple.taken, ordinal: simple.value };
  return readMultiple(tokens, at, simple, true);
}

function readMultiple(
  tokens: readonly Unit[],
  at: number,
  simple: { value: number; taken: number },
  alone: boolean,
): ReadNumber | null {
  const unit = tokens[at + simple.taken];
  const factor = unit?.kind !== "word" ? 0 : unit.value === "hundred" ? 100 : unit.value === "thousand" ? 1000 : 0;
  if (factor === 0) return alone ? { value: String(simple.value), taken: simple.taken } : null;
  let taken = simple.taken + 1;
  let value = simple.value * factor;
  const joined = tokens[at + taken]?.value === "and" ? 1 : 0;
  const rest = readBelowHundred(tokens, at + taken + joined);
  // `eight hundred five five five` goes on with digits; `eight hundred and five` does not.
  if (rest && !("ordinal" in rest) && (joined === 1 || rest.value >= 10 || factor === 1000)) {
    value += rest.value;
    taken += joined + rest.taken;
  }
  return { value: String(value), taken };
}

type Below = { value: number; taken: number } | { value: number; taken: number; ordinal: true };

function readBelowHundred(tokens: readonly Unit[], at: number): Below | null {
  const first = tokens[at];
  if (first?.kind !== "word") return null;
  const small = SMALL_NUMBERS.get(first.value);
  if (small !== undefined) return { value: small, taken: 1 };
  const tens = TENS.get(first.value);
  if (tens === undefined) return null;
  const hyphen = tokens[at + 1]?.value === "-" && !tokens[at + 1]!.spoken && !tokens[at + 1]!.gap ? 1 : 0;
  const next = tokens[at + 1 + hyphen];
  const unit = next && SMALL_NUMBERS.get(next.value);
  if (unit !== undefined && unit >= 1 && unit <= 9) return { value: tens + unit, taken: 2 + hyphen };
  if (next?.ordinal !== undefined && next.ordinal <= 9)
    return { value: tens + next.ordinal, taken: 2 + hyphen, ordinal: true };
  return { value: tens, taken: 1 };
}

function digitOf(token: Unit): string | undefined {
  if (/^[0-9]$/.test(token.value)) return token.value;
  if (SAID_FOR_ZERO.has(token.value)) return "0";
  const small = SMALL_NUMBERS.get(token.value);
  return small !== undefined && small <= 9 ? String(small) : undefined;
}

const isDigitsNear = (unit: Unit | undefined): boolean =>
  unit?.kind === "digits" || (unit?.kind === "sign" && unit.value === "+");

/** Zeros in a row are looked over, up to so many. */
const MOST_ZEROS = 8;

function startsDigits(tokens: readonly Unit[], from: number): boolean {
  for (let at = from; at <= from + MOST_ZEROS; at++) {
    const token = tokens[at];
    if (token === undefined) return false;
    if (token.kind === "digits" || REPEATS.has(token.value)) return true;
    if (!SAID_FOR_ZERO.has(token.value)) return SMALL_NUMBERS.has(token.value) || TENS.has(token.value);
  }
  return false;
}
