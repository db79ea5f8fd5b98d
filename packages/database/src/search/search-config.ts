/** Text search configurations that every supported Postgres brings, by ISO 639-1 code. */
const CONFIGS: Readonly<Record<string, string>> = {
  ar: "arabic",
  da: "danish",
  de: "german",
  el: "greek",
  en: "english",
  es: "spanish",
  fi: "finnish",
  fr: "french",
  ga: "irish",
  hu: "hungarian",
  id: "indonesian",
  it: "italian",
  lt: "lithuanian",
  ne: "nepali",
  nl: "dutch",
  no: "norwegian",
  pt: "portuguese",
  ro: "romanian",
  ru: "russian",
  sv: "swedish",
  ta: "tamil",
  tr: "turkish",
};

/** How words of a language are brought to their stems; `simple`, whole words, where Postgres does not know it. */
export function searchConfig(language: string | null | undefined): string {
  return CONFIGS[language?.toLowerCase() ?? ""] ?? "simple";
}
