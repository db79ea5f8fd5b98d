/**
 * Names that callers know of models, and the hub's repositories with the weights that they were made from. Patterns come
 * after the fixed names; `$1` is what the pattern's group matched.
 */
const FIXED: Readonly<Record<string, string>> = {
  large: "openai/whisper-large-v3",
  turbo: "openai/whisper-large-v3-turbo",
  "large-turbo": "openai/whisper-large-v3-turbo",
  "mobiuslabsgmbh/faster-whisper-large-v3-turbo": "openai/whisper-large-v3-turbo",
  "deepdml/faster-whisper-large-v3-turbo-ct2": "openai/whisper-large-v3-turbo",
};

const SIZE = "(?:tiny|base|small|medium)(?:\\.en)?|large-v[123]|large-v3-turbo";
const DISTILLED = "small\\.en|medium\\.en|large-v2|large-v3(?:\\.5)?";

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`^(?:whisper-)?(${SIZE})$`), "openai/whisper-$1"],
  [new RegExp(`^distil-(${DISTILLED})$`), "distil-whisper/distil-$1"],
  [new RegExp(`^Systran/faster-whisper-(${SIZE})$`), "openai/whisper-$1"],
  [new RegExp(`^Systran/faster-distil-whisper-(${DISTILLED})$`), "distil-whisper/distil-$1"],
  [new RegExp(`^onnx-community/whisper-(${SIZE})_timestamped$`), "openai/whisper-$1"],
  [/^(ivrit-ai\/[\w.-]+)-ct2$/, "$1"],
];

/** The repository of a model by any name that is known for it; other names stay as they are. `more` comes first. */
export function hubNameOf(name: string, more: Readonly<Record<string, string>> = {}): string {
  const known = Object.hasOwn(more, name) ? more[name] : Object.hasOwn(FIXED, name) ? FIXED[name] : undefined;
  if (known !== undefined) return known;
  for (const [pattern, repository] of PATTERNS) if (pattern.test(name)) return name.replace(pattern, repository);
  return name;
}
