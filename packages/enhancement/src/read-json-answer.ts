/**
 * The JSON object of an answer, or undefined where there is none: models like to think aloud before it, and to put it into
 * a block of code. Strings come without NUL and lone surrogates, which nothing could store.
 */
export function readJsonAnswer(text: string): Record<string, unknown> | undefined {
  const spoken = text.replace(/^\s*<think>[\s\S]*?<\/think>/, "");
  const whole = parseObject(spoken);
  if (whole !== undefined) return whole;
  const from = spoken.indexOf("{");
  const to = spoken.lastIndexOf("}");
  return from === -1 || to < from ? undefined : parseObject(spoken.slice(from, to + 1));
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
    return clean(value) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function clean(value: unknown): unknown {
  if (typeof value === "string") return cleanText(value);
  if (Array.isArray(value)) return value.map(clean);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "__proto__")
      .map(([key, item]) => [cleanText(key), clean(item)]),
  );
}

function cleanText(text: string): string {
  return text.replaceAll("\0", "\u{fffd}").toWellFormed();
}
