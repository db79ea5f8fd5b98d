import type { Entity } from "./entity.ts";
import { FILLERS, SPELLING_ALPHABET } from "./number-words.ts";
import type { Unit } from "./units.ts";

/** Lengths by country, of the IBAN registry (ISO 13616). */
const LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 " +
    "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 " +
    "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 " +
    "SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** ISO 7064 MOD 97-10 over the text with its first four characters at the end and letters as 10 to 35. */
function passesMod97(iban: string): boolean {
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    for (const digit of Number.parseInt(character, 36).toString()) rest = (rest * 10 + Number(digit)) % 97;
  }
  return rest === 1;
}

/** Account numbers, together, in groups of four, or spelled: letter by letter, digit by digit. */
export function findIbans(units: readonly Unit[]): Entity[] {
  const found: Entity[] = [];
  for (let from = 0; from < units.length; from++) {
    const end = readIban(units, from);
    if (end === null) continue;
    found.push({ type: "iban", start: units[from]!.start, end: units[end]!.end });
    from = end;
  }
  return found;
}

/** The place of its last unit, or null. */
function readIban(units: readonly Unit[], from: number): number | null {
  let text = "";
  let length: number | undefined;
  for (let at = from; at < units.length; at++) {
    const unit = units[at]!;
    const piece = spelledBy(unit);
    if (piece === null) {
      if (at > from && isBetween(unit)) continue;
      return null;
    }
    text += piece;
    if (text.length >= 2 && length === undefined) {
      length = LENGTHS[text.slice(0, 2)];
      if (length === undefined) return null;
    }
    if (text.length >= 4 && !/^[0-9]{2}$/.test(text.slice(2, 4))) return null;
    if (length === undefined || text.length < length) continue;
    return text.length === length && passesMod97(text) ? at : null;
  }
  return null;
}

function spelledBy(unit: Unit): string | null {
  if (unit.kind === "digits") return unit.value;
  if (unit.kind === "mixed") return /^[a-z0-9]+$/.test(unit.value) ? unit.value.toUpperCase() : null;
  if (unit.kind !== "word") return null;
  if (/^[a-z]$/.test(unit.value)) return unit.value.toUpperCase();
  if (/^[A-Z]{2,6}$/.test(unit.text)) return unit.text;
  return SPELLING_ALPHABET.get(unit.value) ?? null;
}

const isBetween = ({ value, kind }: Unit): boolean =>
  FILLERS.has(value) || value === "-" || value === "." || (kind === "mark" && (value === "," || value === "…"));
