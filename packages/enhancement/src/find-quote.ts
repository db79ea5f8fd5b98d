import type { SourceLine } from "./source.ts";

/** Where something was said, in the transcript's own words. */
export interface Quote {
  quote: string;
  start: number | null;
  end: number | null;
  /** The first line of it. */
  line: number;
}

interface Token {
  /** Without case and marks. */
  key: string;
  line: number;
  /** Offsets into the line's text. */
  from: number;
  to: number;
  start: number | null;
  end: number | null;
}

/** Letters of scripts that put no space between words stand alone. */
const TOKENS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]|[\p{L}\p{N}\p{M}]+/gu;

export type FindQuote = (quote: string, nearLine: number | null) => Quote | null;

/**
 * Finds quotes in what was said, whatever their case and punctuation. Of several places the one nearest to the line that
 * the model named counts. Null: nobody said that.
 */
export function indexQuotes(lines: readonly SourceLine[]): FindQuote {
  const texts = lines.map(textOf);
  const tokens = lines.flatMap((line, index) => tokenize(line, index, texts[index] ?? ""));
  const places = new Map<string, number[]>();
  for (const [at, { key }] of tokens.entries()) {
    const known = places.get(key);
    if (known) known.push(at);
    else places.set(key, [at]);
  }

  return (quote, nearLine) => {
    const wanted = keysOf(quote);
    const [first] = wanted;
    if (first === undefined) return null;
    let best: number | null = null;
    const distance = (at: number) => (nearLine === null ? at : Math.abs((tokens[at]?.line ?? 0) - nearLine));
    for (const at of places.get(first) ?? []) {
      if (best !== null && distance(at) >= distance(best)) continue;
      if (wanted.every((key, offset) => tokens[at + offset]?.key === key)) best = at;
    }
    if (best === null) return null;
    const [from, to] = [tokens[best] as Token, tokens[best + wanted.length - 1] as Token];
    return { quote: cut(texts, from, to), start: from.start, end: to.end, line: from.line };
  };
}

/** Where words carry times they are what was said; offsets count in them. */
function textOf({ text, words }: SourceLine): string {
  return words === undefined || words.length === 0 ? text : words.map(({ word }) => word).join("");
}

function tokenize({ words, start, end }: SourceLine, line: number, text: string): Token[] {
  const found = [...text.matchAll(TOKENS)].map((match) => ({
    key: fold(match[0]),
    line,
    from: match.index,
    to: match.index + match[0].length,
    ...{ start, end },
  }));
  if (words === undefined || words.length === 0) return found;
  let at = 0;
  const spans = words.map((word) => {
    const from = at;
    at += word.word.length;
    return { from, to: at, word };
  });
  let span = 0;
  for (const token of found) {
    while (span + 1 < spans.length && (spans[span]?.to ?? 0) <= token.from) span += 1;
    token.start = spans[span]?.word.start ?? start;
    token.end = spans[span]?.word.end ?? end;
  }
  return found;
}

function keysOf(text: string): string[] {
  return [...text.matchAll(TOKENS)].map(([token]) => fold(token));
}

function fold(token: string): string {
  return token.normalize("NFKC").toLowerCase();
}

function cut(texts: readonly string[], from: Token, to: Token): string {
  if (from.line === to.line) return (texts[from.line] ?? "").slice(from.from, to.to);
  const between = texts.slice(from.line + 1, to.line).map((text) => text.trim());
  const [head, tail] = [(texts[from.line] ?? "").slice(from.from), (texts[to.line] ?? "").slice(0, to.to)];
  return [head.trim(), ...between, tail.trim()].join(" ");
}
