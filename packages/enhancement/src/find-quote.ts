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
  const texts = lines.map(({ text }) => text);
  const tokens = lines.flatMap(tokenize);
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

function tokenize({ text, words = [], start, end }: SourceLine, line: number): Token[] {
  const found = [...text.matchAll(TOKENS)].map((match) => ({
    key: fold(match[0]),
    line,
    from: match.index,
    to: match.index + match[0].length,
    ...{ start, end },
  }));
  const timed = words.flatMap(({ word, ...times }) => keysOf(word).map((key) => ({ key, ...times })));
  // What corrects a text may leave its words as they were heard; then the line's times are all that is known.
  const same = timed.length === found.length && found.every(({ key }, at) => timed[at]?.key === key);
  if (!same) return found;
  return found.map((token, at) => ({ ...token, start: timed[at]?.start ?? start, end: timed[at]?.end ?? end }));
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
