import { CONTEXT_BEFORE, distanceBefore } from "./context.ts";
import { type DigitRun, digitsOf, type Group } from "./digit-runs.ts";
import type { Entity } from "./entity.ts";
import type { Unit } from "./units.ts";

const NAMED = new Set([
  ...["phone", "phones", "telephone", "tel", "mobile", "cell", "cellphone", "call", "called", "calling", "callback"],
  ...["dial", "ring", "text", "reach", "fax", "whatsapp", "sms", "landline", "hotline", "voicemail"],
]);

/** What else long numbers are the numbers of. */
const OTHERS = new Set([
  ...["order", "tracking", "invoice", "account", "reference", "confirmation", "ticket", "serial", "case", "policy"],
  ...["id", "isbn", "part", "model", "claim", "booking", "receipt", "customer", "member", "membership", "routing"],
  ...["social", "ssn", "version", "barcode", "sku", "batch", "license", "zip", "postcode", "coordinates", "meter"],
  ...["card", "visa", "mastercard", "amex", "iban", "population", "transaction", "package", "parcel", "vat", "tax"],
]);

/** Calling codes that ITU-T E.164 assigns; of one, two and three digits. */
const CALLING_CODES = new Set([
  ...["1", "7", "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48"],
  ...["49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84"],
  ...["86", "90", "91", "92", "93", "94", "95", "98"],
]);
const isAssigned = (digits: string): boolean =>
  CALLING_CODES.has(digits[0]!) ||
  CALLING_CODES.has(digits.slice(0, 2)) ||
  /^(2[1-69]|3[578]|42|50|59|67|68|69|80|85|87|88|96|97|99)/.test(digits);

/** Area and exchange of the North American plan: neither begins with 0 or 1, nor ends in 11. */
function isNorthAmerican(digits: string): boolean {
  const ten = digits.length === 11 && digits[0] === "1" ? digits.slice(1) : digits;
  return /^[2-9][0-8][0-9][2-9][0-9]{2}[0-9]{4}$/.test(ten) && !/^(.11|...(.)11)/.test(ten);
}

const MOST_DIGITS = 15;

/**
 * Telephone numbers: with `+` and a calling code that exists; in the North American plan; national ones with a leading
 * 0; and others where speech says that they are one. There is no check digit, so what is said before decides.
 */
export function findPhones(units: readonly Unit[], run: DigitRun): Entity[] {
  const entity = (groups: readonly Group[], start: number): Entity => {
    const last = groups.at(-1)!;
    return { type: "phone", start, end: extensionEnd(units, last.at) ?? last.end };
  };
  const groups = shorten(run.groups);
  const digits = digitsOf(groups);
  const international = run.plus ? digits : digits.startsWith("00") ? digits.slice(2) : null;
  if (international !== null && international.length >= 8 && isAssigned(international)) {
    const nanp = international[0] === "1";
    if (!nanp || isNorthAmerican(international.slice(0, 11))) {
      const taken = nanp ? takeDigits(groups, digits.length - international.length + 11) : groups;
      if (taken !== null) return [entity(taken, run.start)];
    }
  }
  const first = groups[0]!;
  const named = distanceBefore(units, first.at, NAMED);
  const other = distanceBefore(units, first.at, OTHERS);
  if (other < named) return [];
  if (named > CONTEXT_BEFORE && groups.length === 1 && !(run.groups[0]!.spoken && digits.length > 6)) return [];
  if (isCounting(groups) || groups.some(({ separator }) => separator === "slash")) return [];
  if (isPlausible(digits, groups, named <= CONTEXT_BEFORE)) return [entity(groups, run.start)];
  // Something else follows: the number is at the front, in groups of its own.
  for (const length of [11, 10]) {
    const taken = takeDigits(groups, length);
    if (taken === null || taken.length === groups.length || !isNorthAmerican(digitsOf(taken))) continue;
    if (named <= CONTEXT_BEFORE || isGrouped(taken)) return [entity(taken, run.start)];
  }
  return [];
}

function isPlausible(digits: string, groups: readonly Group[], named: boolean): boolean {
  const { length } = digits;
  const spoken = groups.every((group) => group.spoken);
  if (length === 10 || (length === 11 && digits[0] === "1")) {
    if (isNorthAmerican(digits)) return named || spoken || isGrouped(groups);
  }
  if (/^0[1-9]/.test(digits) && length >= 9 && length <= 12) return named || spoken || groups.length >= 2;
  if (!named) return false;
  // A year, an hour or a price is shorter.
  return length === 7 ? /^[2-9]/.test(digits) : length >= 8 && length <= MOST_DIGITS && !isDate(groups);
}

/** `415 555 2671`, `1 415 555 2671`, and spoken digits, which come one by one. */
function isGrouped(groups: readonly Group[]): boolean {
  const lengths = groups.map(({ digits }) => digits.length).join("-");
  return lengths === "3-3-4" || lengths === "1-3-3-4" || lengths === "3-7" || /^(1(-1)+|2(-2)+)$/.test(lengths);
}

/** One, two, three …: somebody counts. */
const isCounting = (groups: readonly Group[]): boolean =>
  groups.length > 4 && groups.every(({ digits }, i) => i === 0 || Number(digits) === Number(groups[i - 1]!.digits) + 1);

const isDate = (groups: readonly Group[]): boolean =>
  /^(2-2-4|1-1-4|1-2-4|2-1-4|4-2-2)$/.test(groups.map(({ digits }) => digits.length).join("-"));

/** Without the groups that make it longer than any number is. */
function shorten(groups: readonly Group[]): Group[] {
  let length = 0;
  const end = groups.findIndex(({ digits }) => {
    length += digits.length;
    return length > MOST_DIGITS + 2;
  });
  return end <= 0 ? [...groups] : groups.slice(0, end);
}

function takeDigits(groups: readonly Group[], length: number): Group[] | null {
  let sum = 0;
  for (const [i, { digits }] of groups.entries()) {
    sum += digits.length;
    if (sum === length) return groups.slice(0, i + 1);
    if (sum > length) return null;
  }
  return null;
}

/** Where `extension 45` or `x45` goes on after the number. */
function extensionEnd(units: readonly Unit[], last: number): number | null {
  let at = last + 1;
  if (units[at]?.value === ",") at += 1;
  const word = units[at];
  if (word?.kind === "mixed" && /^x[0-9]{1,6}$/.test(word.value)) return word.end;
  if (word === undefined || !/^(ext|extension|x)$/.test(word.value)) return null;
  at += units[at + 1]?.value === "." ? 2 : 1;
  let end: number | null = null;
  for (let taken = 0; taken < 6 && units[at]?.kind === "digits"; at++, taken++) end = units[at]!.end;
  return end;
}
