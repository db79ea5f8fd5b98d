import { type Edit, rewriteSegment } from "../rewrite-segment.ts";
import type { Segment, Word } from "../transcript.ts";
import type { LexiconContent } from "./lexicon-content.ts";
import { matchWord } from "./match-word.ts";

interface Rule {
  words: string[];
  replace: string;
}

type Rewritable = Pick<Segment, "start" | "end" | "text"> & { words?: Word[] };

/**
 * Replaces words and phrases of a segment, whole words, in any case. Of several rules that fit at a place the longest
 * stands, then the first; what is written is not looked at again. No regular expression is made of what a tenant wrote,
 * so no rule can take long.
 */
export function compileLexicon({ rules }: Pick<LexiconContent, "rules">): <T extends Rewritable>(segment: T) => T {
  const byFirst = new Map<string, Rule[]>();
  const open: Rule[] = [];
  for (const { find, replace } of rules) {
    const words = find.split(/\s+/).map((word) => fold(word));
    const [first = ""] = words;
    if (first.includes("*")) open.push({ words, replace });
    else byFirst.set(first, [...(byFirst.get(first) ?? []), { words, replace }]);
  }
  const longestFirst = (a: Rule, b: Rule) => b.words.length - a.words.length;
  for (const list of byFirst.values()) list.sort(longestFirst);
  open.sort(longestFirst);
  return (segment) => rewriteSegment(segment, findEdits(segment.text, byFirst, open));
}

interface SpokenWord {
  /** Of the word without the signs around it. */
  start: number;
  end: number;
  folded: string;
  /** A sign stands before or after it. */
  opens: boolean;
  closes: boolean;
}

function findEdits(text: string, byFirst: ReadonlyMap<string, Rule[]>, open: readonly Rule[]): Edit[] {
  const words = readWords(text);
  const edits: Edit[] = [];
  for (let at = 0; at < words.length; ) {
    const fits = (rule: Rule) => fitsAt(rule, words, at);
    const close = byFirst.get(words[at]!.folded)?.find(fits);
    const wide = open.find(fits);
    const rule = close && (!wide || wide.words.length <= close.words.length) ? close : wide;
    if (rule === undefined) {
      at += 1;
      continue;
    }
    const [start, end] = [words[at]!.start, words[at + rule.words.length - 1]!.end];
    edits.push({ start, end, text: keepCase(text.slice(start, end), rule.replace) });
    at += rule.words.length;
  }
  return edits.filter(({ start, end, text: to }) => text.slice(start, end) !== to);
}

/** All words in a row, with no sign between them. */
function fitsAt({ words: wanted }: Rule, words: readonly SpokenWord[], at: number): boolean {
  return wanted.every((pattern, i) => {
    const word = words[at + i];
    if (word === undefined || (i > 0 && word.opens) || (i < wanted.length - 1 && word.closes)) return false;
    return pattern.includes("*") ? matchWord(pattern, word.folded) : pattern === word.folded;
  });
}

const SPACED = /\S+/g;
const SIGNS = /[^\p{L}\p{M}\p{N}]/u;

function readWords(text: string): SpokenWord[] {
  return [...text.matchAll(SPACED)].map((match) => {
    const raw = match[0];
    let [from, to] = [0, raw.length];
    while (from < to && SIGNS.test(raw[from]!) && !isSurrogate(raw[from]!)) from += 1;
    while (to > from && SIGNS.test(raw[to - 1]!) && !isSurrogate(raw[to - 1]!)) to -= 1;
    const [start, end] = [match.index + from, match.index + to];
    return { start, end, folded: fold(raw.slice(from, to)), opens: from > 0, closes: to < raw.length };
  });
}

const isSurrogate = (unit: string): boolean => unit >= "\ud800" && unit <= "\udfff";

/** As rules and words are compared: without the signs around a word, composed, in lower case. */
function fold(word: string): string {
  return word.normalize("NFC").toLowerCase();
}

/** A rule in lower case follows the case of what it stands for; capitals of a rule are meant. */
function keepCase(said: string, replace: string): string {
  if (replace !== replace.toLowerCase()) return replace;
  const letters = [...said].filter((character) => character.toLowerCase() !== character.toUpperCase());
  const isUpper = (letter: string | undefined) => letter !== undefined && letter !== letter.toLowerCase();
  if (letters.length > 1 && letters.every(isUpper)) return replace.toUpperCase();
  return isUpper(letters[0]) ? replace.charAt(0).toUpperCase() + replace.slice(1) : replace;
}
