/** Names that differ from what the standard calls the language. */
const OTHER_NAMES: Record<string, string> = {
  myanmar: "my",
  castilian: "es",
  valencian: "ca",
  flemish: "nl",
  mandarin: "zh",
  moldavian: "ro",
  panjabi: "pa",
  pushto: "ps",
  sinhalese: "si",
  "haitian creole": "ht",
};

let codes: Map<string, string> | undefined;

/** The code of a language that an answer names by its English name or its code; null where that is neither. */
export function languageCode(name: string | null | undefined): string | null {
  const asked = name?.trim().toLowerCase();
  if (asked === undefined || asked === "") return null;
  if (/^[a-z]{2,3}$/.test(asked)) return asked;
  codes ??= readNames();
  return OTHER_NAMES[asked] ?? codes.get(asked) ?? null;
}

function readNames(): Map<string, string> {
  const names = new Intl.DisplayNames("en", { type: "language", fallback: "none" });
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  const pairs = letters.flatMap((a) => letters.map((b) => a + b));
  return new Map(pairs.flatMap((code) => (names.of(code) ? [[names.of(code)!.toLowerCase(), code] as const] : [])));
}
