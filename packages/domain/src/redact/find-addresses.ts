import { standsAfter } from "./context.ts";
import type { Entity } from "./entity.ts";
import type { Unit } from "./units.ts";

/** Ends of names that speech is believed without `www` or `@`; those that are common English words or file names are left out. */
const TOP_LEVEL = new Set([
  ...["com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "io", "co", "ai", "app", "dev", "uk", "de", "fr"],
  ...["es", "nl", "ch", "ca", "au", "eu", "us", "se", "dk", "fi", "pl", "cz", "jp", "br", "nz", "ie", "tv", "cloud"],
  ...["online", "shop", "site", "xyz", "tech", "store", "gg", "pt", "gr", "il", "ru", "ua", "mx", "ar", "cn", "kr"],
]);

/** Said of an address that follows. */
const NAMED = new Set([
  "email",
  "emails",
  "mail",
  "gmail",
  "address",
  "contact",
  "write",
  "reach",
  "inbox",
  "forward",
  "cc",
]);

const NAMED_AFTER = new Set(["email", "mail", "address"]);

/** Between what names an address and its first word. */
const BEFORE_LOCAL = new Set([
  ...["is", "s", "to", "at", "me", "us", "him", "her", "them", "email", "mail", "address", "contact", "write", "reach"],
  ...[
    "it",
    "at",
    ":",
    ",",
    ".",
    "the",
    "my",
    "your",
    "our",
    "his",
    "their",
    "cc",
    "and",
    "or",
    "forward",
    "on",
    "for",
    "send",
  ],
]);

/** What stands before `at` without being a mailbox. */
const NO_MAILBOX = new Set([
  ...[
    "available",
    "found",
    "located",
    "hosted",
    "listed",
    "live",
    "online",
    "sold",
    "look",
    "check",
    "visit",
    "up",
    "here",
  ],
  ...[
    "published",
    "posted",
    "more",
    "works",
    "work",
    "worked",
    "shop",
    "order",
    "store",
    "is",
    "was",
    "are",
    "me",
    "us",
  ],
  ...[
    "him",
    "her",
    "them",
    "it",
    "that",
    "this",
    "there",
    "people",
    "team",
    "everyone",
    "someone",
    "back",
    "page",
    "site",
  ],
]);

/** `this dot com boom` speaks of no address. */
const NO_NAME = new Set(["this", "that", "the", "a", "these", "those", "whole", "of", "in"]);

/** Of a domain, in units. */
const LONGEST_DOMAIN = 30;

/** The longest local part that is spelled letter by letter, in units. */
const LONGEST_LOCAL = 40;

export function findAddresses(units: readonly Unit[]): Entity[] {
  const found: Entity[] = [];
  for (let at = 0; at < units.length; at++) {
    const unit = units[at]!;
    if (unit.value !== "@" || unit.kind !== "sign") continue;
    const domain = readDomain(units, at + 1, { anyEnd: !unit.spoken, words: 3 });
    const local = domain && readLocal(units, at, domain);
    if (domain === null || local === null) continue;
    found.push({ type: "email", start: units[local]!.start, end: units[domain]!.end });
    at = domain;
  }
  const emails = [...found];
  let next = 0;
  for (let at = 0; at < units.length; at++) {
    const { start } = units[at]!;
    while (emails[next] !== undefined && emails[next]!.end <= start) next += 1;
    const last = start >= (emails[next]?.start ?? Number.POSITIVE_INFINITY) ? null : readUrl(units, at);
    if (last === null) continue;
    found.push({ type: "url", start: units[at]!.start, end: units[last]!.end });
    at = last;
  }
  return found;
}

const isLabel = (unit: Unit | undefined): boolean =>
  unit !== undefined && (unit.kind === "word" || unit.kind === "mixed" || unit.kind === "digits");

/** A sign that joins: spoken, or written without space on either side. */
function joins(units: readonly Unit[], at: number, signs: string): boolean {
  const unit = units[at];
  if (unit?.kind !== "sign" || !signs.includes(unit.value)) return false;
  return unit.spoken ? isLabel(units[at + 1]) : !unit.gap && units[at + 1]?.gap === false;
}

/** The place of a domain's last unit, or null. Before its first dot it may be said in several words. */
function readDomain(
  units: readonly Unit[],
  from: number,
  { anyEnd, words }: { anyEnd: boolean; words: number },
): number | null {
  let at = from;
  if (!isLabel(units[at])) return null;
  let count = 1;
  for (; ; at++) {
    if (at > from + LONGEST_DOMAIN) return null;
    if (joins(units, at + 1, ".")) break;
    if (joins(units, at + 1, "-")) at += 1;
    else if (isLabel(units[at + 1]) && (anyEnd ? !units[at + 1]!.gap : true) && ++count <= words) continue;
    else return null;
    if (!isLabel(units[at + 1])) return null;
  }
  let last: number | null = null;
  while (at < from + LONGEST_DOMAIN && joins(units, at + 1, ".") && isLabel(units[at + 2])) {
    at += 2;
    while (at < from + LONGEST_DOMAIN && joins(units, at + 1, "-") && isLabel(units[at + 2])) at += 2;
    const end = units[at]!;
    if (anyEnd ? /^[\p{L}]{2,24}$/u.test(end.value) : TOP_LEVEL.has(end.value)) last = at;
  }
  return last;
}

/** The place of the local part's first unit, or null where what stands before `at` is no mailbox. */
function readLocal(units: readonly Unit[], at: number, domain: number): number | null {
  const sign = units[at]!;
  if (!isLabel(units[at - 1])) return null;
  if (!sign.spoken && !sign.gap) return writtenLocal(units, at - 1);
  let first = at - 1;
  let strong = isSpelled(units[first]!);
  let spelled = 1;
  while (at - first < LONGEST_LOCAL) {
    if (first >= 2 && isLabel(units[first - 2]) && joins(units, first - 1, "._-+")) {
      first -= 2;
      strong = true;
    } else if (
      first >= 1 &&
      isLabel(units[first - 1]) &&
      isSpelled(units[first]!) &&
      isSpelled(units[first - 1]!) &&
      !isCut(units, first - 1)
    ) {
      first -= 1;
      spelled += 1;
    } else if (first >= 1 && units[first]!.kind === "digits" && isWordBefore(units[first - 1]!)) first -= 1;
    else break;
  }
  if (units[first]!.kind === "mixed" || units[first]!.kind === "digits") strong = true;
  const named = namedBefore(units, first);
  if (named !== null) return startOfSaid(units, named, first);
  if (strong && (spelled > 1 || first < at - 1 || units[first]!.kind !== "word")) return first;
  const before = units[first - 1]?.value;
  const said =
    standsAfter(units, domain, NAMED_AFTER) || before === "is" || before === "s" || before === "to" || before === ":";
  return said && !NO_MAILBOX.has(units[first]!.value) ? first : null;
}

function writtenLocal(units: readonly Unit[], last: number): number {
  let first = last;
  while (first > 0 && !units[first]!.gap) {
    const before = units[first - 1]!;
    if (!isLabel(before) && !(before.kind === "sign" && "._-+".includes(before.value)) && before.value !== "%") break;
    first -= 1;
  }
  return first;
}

const isSpelled = ({ kind, value }: Unit): boolean => kind === "digits" || (kind === "word" && value.length === 1);

/** The `s` of `that's`. */
const isCut = (units: readonly Unit[], at: number): boolean =>
  !units[at]!.gap && (units[at - 1]?.value === "'" || units[at - 1]?.value === "’");

const isWordBefore = (unit: Unit): boolean =>
  unit.kind === "word" && !BEFORE_LOCAL.has(unit.value) && !NO_MAILBOX.has(unit.value);

/** The place of the word that says that an address comes, within eight units; or null. */
function namedBefore(units: readonly Unit[], first: number): number | null {
  for (let i = first - 1; i >= Math.max(0, first - 8); i--) {
    if (NAMED.has(units[i]!.value)) return i;
    // `email me at sarah at …`: only what stands before another mailbox speaks of that.
    if (units[i]!.value === "@" && !/^(me|us|him|her|them)$/.test(units[i - 1]?.value ?? "")) return null;
  }
  return null;
}

/** Of `my email address is sarah miller at …` the words after `is`. */
function startOfSaid(units: readonly Unit[], named: number, first: number): number | null {
  let start = first;
  while (start - 1 > named && start > first - 3 && units[start - 1]!.kind === "word" && isWordBefore(units[start - 1]!))
    start -= 1;
  if (start - 1 > named && !BEFORE_LOCAL.has(units[start - 1]!.value)) start = first;
  if (start === first && NO_MAILBOX.has(units[first]!.value)) return null;
  return start;
}

/** The place of a URL's last unit, or null. */
function readUrl(units: readonly Unit[], from: number): number | null {
  const first = units[from]!;
  if (!isLabel(first)) return null;
  let host = from;
  let sure = false;
  if (/^(https?|ftp)$/.test(first.value) && units[from + 1]?.value === ":") {
    if (units[from + 2]?.value !== "/" || units[from + 3]?.value !== "/") return null;
    [host, sure] = [from + 4, true];
  }
  let www = host;
  while (units[www]?.value === "w" && www < host + 2) www += 1;
  if ((www > host && units[www]?.value === "w") || units[host]?.value === "www") {
    if (!joins(units, www + 1, ".")) return null;
    [host, sure] = [www + 2, true];
  }
  // The middle of a word that goes on, or of an address whose beginning was no mailbox.
  if (!sure && !first.gap && from > 0 && units[from - 1]!.kind !== "mark") return null;
  if (!sure && NO_NAME.has(first.value)) return null;
  const domain = readDomain(units, host, { anyEnd: sure && !units[host + 1]?.spoken, words: 1 });
  return domain === null ? null : readPath(units, domain);
}

/** A port, a path, a query; a full stop at the end is the sentence's. */
function readPath(units: readonly Unit[], domain: number): number {
  let last = domain;
  for (let at = domain + 1; at < units.length; at++) {
    const unit = units[at]!;
    if (unit.spoken && unit.kind === "sign") {
      if (!"/.-_".includes(unit.value) || !isLabel(units[at + 1])) break;
      if (last === domain && unit.value !== "/") break;
      at += 1;
      last = at;
    } else if (unit.gap) break;
    else if (isLabel(unit) || unit.value === "/") last = at;
    else if (units[at + 1]?.gap !== false || !/[:.?=&%#_+~@!*'()-]/.test(unit.value)) break;
  }
  return last;
}
