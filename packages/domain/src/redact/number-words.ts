// English number words as speech has them in telephone numbers, cards and years. Digits themselves need no table.

export const SMALL_NUMBERS: ReadonlyMap<string, number> = new Map(
  [
    ...["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
    ...["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"],
  ].map((word, value) => [word, value] as const),
);

export const TENS: ReadonlyMap<string, number> = new Map(
  ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"].map(
    (word, i) => [word, (i + 2) * 10] as const,
  ),
);

/** Said for zero, but words of their own elsewhere: digits only beside other digits. */
export const SAID_FOR_ZERO: ReadonlySet<string> = new Set(["oh", "o", "nought", "naught", "nil"]);

export const REPEATS: ReadonlyMap<string, number> = new Map([
  ["double", 2],
  ["triple", 3],
  ["treble", 3],
]);

export const ORDINALS: ReadonlyMap<string, number> = new Map([
  ...[
    ...["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"],
    ...["twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"],
  ].map((word, i) => [word, i + 1] as const),
  ["twentieth", 20],
  ["thirtieth", 30],
]);

export const MONTHS: ReadonlyMap<string, number> = new Map(
  [
    ...["january", "february", "march", "april", "may", "june", "july"],
    ...["august", "september", "october", "november", "december"],
  ].flatMap((name, i) => [[name, i + 1] as const, [name.slice(0, 3), i + 1] as const]),
);

/** Names of signs, as speech spells them. */
export const SIGN_NAMES: ReadonlyMap<string, string> = new Map([
  ["dot", "."],
  ["point", "."],
  ["period", "."],
  ["at", "@"],
  ["dash", "-"],
  ["hyphen", "-"],
  ["minus", "-"],
  ["underscore", "_"],
  ["plus", "+"],
  ["slash", "/"],
  ["colon", ":"],
]);

/** The spelling alphabet of radio, which people use on the telephone too. */
export const SPELLING_ALPHABET: ReadonlyMap<string, string> = new Map(
  [
    ...["alpha", "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "juliet"],
    ...["kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform"],
    ...["victor", "whiskey", "xray", "yankee", "zulu"],
  ].map((word) => [word, word[0]!.toUpperCase()] as const),
);

/** Sounds between digits that mean nothing. */
export const FILLERS: ReadonlySet<string> = new Set(["uh", "um", "er", "erm", "ah", "mm", "hmm", "mhm", "huh"]);

/** What the other side says meanwhile. */
export const ASSENTS: ReadonlySet<string> = new Set(["okay", "ok", "yes", "yeah", "yep", "right", "sure", "then"]);
